"""What is put in order only as deep as it matters measures the same as whole rankings by their definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation import evaluate
from tfretrieval.evaluation import metrics as m
from tfretrieval.evaluation.matching import match
from tfretrieval.evaluation.rankings import rankings
from tfretrieval.evaluation.vote import knn_accuracy
from tfretrieval.retrieval import make_retriever


def items(rng, n, prefix, values=4, classes=3):
    labels = rng.integers(-1, classes, n)
    names = [f"c{i}" for i in range(classes)]
    return Embeddings.from_arrays(rng.integers(0, values, (n, 2)), labels, names, [f"{prefix}{i}" for i in range(n)])


def by_definition(queries, gallery, ks, vote_k):
    """Every metric of every query from the stable order of all distances, and the pairs of every class."""
    values, pooled = {}, {}
    for query in match(queries, gallery).query_rows:
        others = gallery.ids != queries.ids[query]
        distances = np.linalg.norm(gallery.vectors[others] - queries.vectors[query], axis=1).astype(np.float32)
        order = np.argsort(distances, kind="stable")
        labels, distances = gallery.labels[others][order], distances[order]
        relevant = (labels == queries.labels[query])[None]
        r = relevant.sum(axis=1)
        measured = {
            "map": [average_precision_score(relevant[0], -distances)],
            "map_at_r": m.map_at_r(relevant, r),
            "r_precision": m.r_precision(relevant, r),
            "mrr": m.reciprocal_rank(relevant),
            "knn_accuracy": knn_accuracy(labels[None, :vote_k], queries.labels[query : query + 1]),
        }
        for k in ks:
            measured[f"precision_at_{k}"] = m.precision_at_k(relevant, k)
            measured[f"ndcg_at_{k}"] = m.ndcg_at_k(relevant, r, k)
            measured[f"map_at_{k}"] = m.map_at_k(relevant, r, k)
        for name, value in measured.items():
            values.setdefault(name, []).append(float(value[0]))
        pooled.setdefault(queries.class_names[queries.labels[query]], []).append((relevant[0], -distances))
    return values, {name: [np.concatenate(part) for part in zip(*pairs)] for name, pairs in pooled.items()}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["knn", "faiss"]), st.booleans(), st.sampled_from([1, 1 << 20]))
def test_every_metric_is_that_of_the_whole_ranking_also_with_many_ties(seed, kind, against_itself, block_bytes):
    rng = np.random.default_rng(seed)
    gallery = items(rng, 40, "g")
    queries = gallery if against_itself else items(rng, 15, "q")
    if not len(match(queries, gallery).query_rows):
        return
    found = evaluate(
        make_retriever(kind).fit(gallery.vectors), queries, gallery,
        ks=(1, 3, 30), vote_k=7, n_bootstrap=0, block_bytes=block_bytes,
    )  # fmt: skip
    values, pooled = by_definition(queries, gallery, (1, 3, 30), 7)
    for name, expected in values.items():
        assert found.metrics[name] == pytest.approx(np.mean(expected), abs=1e-9)
    np.testing.assert_allclose(found.per_query["average_precision"], values["map"], atol=1e-9)
    for name, (relevant, scores) in pooled.items():
        assert found.per_class[name]["ap"] == pytest.approx(average_precision_score(relevant, scores), abs=1e-9)


def test_only_what_matters_is_put_in_order():
    gallery = Embeddings.from_arrays(np.arange(100)[:, None], [0] * 3 + [1] * 97)
    queries = Embeddings.from_arrays([[0.0]], [0], ["0", "1"], ids=["q"])
    matched = match(queries, gallery)
    retriever = make_retriever("knn").fit(gallery.vectors)
    (few,) = rankings(retriever, queries.vectors, matched, depth=100, least=1, block_bytes=1 << 20)
    assert few.top(slice(0, 1))[1].tolist() == [[0, 1, 2]]
    (more,) = rankings(retriever, queries.vectors, matched, depth=100, least=5, block_bytes=1 << 20)
    near, rows = more.top(slice(0, 1))
    assert rows.tolist() == near.tolist() == [[0, 1, 2, 3, 4]]


def test_a_depth_below_all_measures_as_the_whole_up_to_there():
    rng = np.random.default_rng(0)
    gallery, queries = items(rng, 60, "g"), items(rng, 20, "q")
    retriever = make_retriever("faiss").fit(gallery.vectors)
    whole, cut = (evaluate(retriever, queries, gallery, depth=depth, n_bootstrap=0) for depth in (60, 59))
    for name in ("precision_at_10", "mrr", "knn_accuracy", "ndcg_at_5", "map_at_10"):
        assert cut.metrics[name] == whole.metrics[name]
    np.testing.assert_array_equal(cut.confusion, whole.confusion)
