import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.evaluation import evaluate
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import FaissSettings, KNNSettings, settings_for


def store(values, labels, class_names=None, ids=None, prefix=""):
    vectors = np.asarray(values, np.float32).reshape(len(values), -1)
    ids = ids or [f"{prefix}{row}" for row in range(len(vectors))]
    return Embeddings.from_arrays(vectors, labels, class_names or ["a", "b", "c"], ids)


def scene(n, seed=0, d=8, c=3, prefix="g"):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, c, n)
    centres = np.random.default_rng(99).normal(size=(c, d)) * 0.7
    return store(rng.normal(size=(n, d)) + centres[labels], labels, [f"c{i}" for i in range(c)], prefix=prefix)


def measured(queries, gallery, kind="knn", **options):
    options = {"n_bootstrap": 0} | options
    return evaluate(Index.build(gallery, settings_for(kind, metric="euclidean")), queries, **options)


# Query at 0 of class a. Gallery by distance: a(1) b(2) a(3) b(4).
GALLERY = store([4, 1, 3, 2], [1, 0, 0, 1], ids=["w", "x", "y", "z"])
QUERY = store([0], [0], prefix="q")


def test_one_query_worked_by_hand():
    found = measured(QUERY, GALLERY, ks=(1, 3), vote_k=4)
    assert found.n_queries == 1
    assert found.n_gallery == 4
    assert found.chance_precision == 0.5
    expected = {
        "precision_at_1": 1,
        "precision_at_3": 2 / 3,
        "map": (1 + 2 / 3) / 2,
        "map_at_r": 1 / 2,
        "r_precision": 1 / 2,
        "hit_rate_at_1": 1,
        "hit_rate_at_3": 1,
        "recall_at_1": 1 / 2,
        "recall_at_3": 1,
        "ndcg_at_1": 1,
        "ndcg_at_3": 1.5 / (1 + 1 / np.log2(3)),
        "map_at_1": 1,
        "map_at_3": (1 + 2 / 3) / 2,
        "mrr": 1,
        "knn_accuracy": 1,
    }
    assert found.metrics == pytest.approx(expected)
    assert found.confusion.tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert found.per_query["nearest_id"].tolist() == ["x"]
    assert found.per_query["nearest_distance"].tolist() == [1]
    assert found.per_class["a"]["n_gallery"] == 2
    assert found.per_class["a"]["ap"] == pytest.approx((1 + 2 / 3) / 2)


def test_a_query_is_excluded_by_id_and_not_by_distance():
    gallery = store([0, 0, 5], [0, 1, 0], ids=["me", "copy", "far"])
    found = measured(store([0], [0], ids=["me"]), gallery, ks=(1,), vote_k=1)
    assert found.per_query["nearest_id"].tolist() == ["copy"]
    assert found.metrics["map"] == 1 / 2
    assert found.chance_precision == 1 / 2
    stranger = measured(store([0], [0], ids=["stranger"]), gallery, ks=(1,), vote_k=1)
    assert stranger.per_query["nearest_id"].tolist() == ["me"]


def test_a_split_against_itself_excludes_every_query():
    items = scene(60)
    found = measured(items, items)
    assert (found.per_query["nearest_id"] != found.per_query["id"]).all()
    assert (found.per_query["nearest_distance"] > 0).all()


def test_skipped_queries_are_counted():
    queries = store([0, 0, 0, 0], [0, -1, 2, 1], prefix="q")
    found = measured(queries, GALLERY, ks=(1,), vote_k=1)
    assert found.n_queries == 2
    assert found.n_skipped == 2
    assert found.per_query["id"].tolist() == ["q0", "q3"]
    assert list(found.per_class) == ["a", "b"]


def test_classes_match_by_name_and_not_by_number():
    renumbered = store([4, 1, 3, 2], [0, 2, 2, 0], ["b", "z", "a"], ids=["w", "x", "y", "z"])
    ours, theirs = (measured(QUERY, one, ks=(1, 3), vote_k=4) for one in (GALLERY, renumbered))
    assert ours.metrics == theirs.metrics
    assert theirs.class_names == ("b", "z", "a", "c")
    assert theirs.confusion[2, 2] == 1


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("pca", [None, 4])
def test_knn_and_faiss_have_the_same_metrics(metric, pca):
    queries, gallery = scene(40, 1, prefix="q"), scene(90)
    one, other = (
        evaluate(Index.build(gallery, settings_for(kind, metric=metric, pca=pca)), queries, n_bootstrap=0)
        for kind in ("knn", "faiss")
    )
    assert one.metrics == other.metrics
    assert one.dim == (pca or 8)
    assert (one.retriever, other.retriever) == ("knn", "faiss")


def test_average_precision_agrees_with_scikit_learn_also_with_ties():
    rng = np.random.default_rng(0)
    queries = store(rng.integers(0, 4, (30, 2)), rng.integers(0, 3, 30), prefix="q")
    gallery = store(rng.integers(0, 4, (50, 2)), rng.integers(0, 3, 50), prefix="g")
    found = measured(queries, gallery)
    distances = np.linalg.norm(queries.vectors[:, None] - gallery.vectors[None], axis=2)
    relevant = queries.items.labels[:, None] == gallery.items.labels
    expected = [average_precision_score(r, -d) for r, d in zip(relevant, distances)]
    np.testing.assert_allclose(found.per_query["average_precision"], expected, atol=1e-6)
    assert found.metrics["map"] == pytest.approx(np.mean(expected), abs=1e-6)
    for label, name in enumerate("abc"):
        its = queries.items.labels == label
        pooled = average_precision_score(relevant[its].ravel(), -distances[its].ravel())
        assert found.per_class[name]["ap"] == pytest.approx(pooled, abs=1e-6)
        assert found.per_class[name]["map"] == pytest.approx(np.mean(np.array(expected)[its]), abs=1e-6)


def test_a_collapsed_embedding_has_the_map_of_chance():
    gallery = store(np.ones((30, 2)), [0] * 10 + [1] * 20)
    found = measured(store(np.ones((4, 2)), [0, 0, 1, 1], prefix="q"), gallery)
    assert found.metrics["map"] == pytest.approx(found.chance_precision)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["Flat", "HNSW8"]), st.booleans())
def test_the_accuracy_of_the_confusion_is_always_the_precision_at_1(seed, factory, against_itself):
    rng = np.random.default_rng(seed)
    gallery = store(rng.integers(0, 3, (25, 2)), rng.integers(-1, 3, 25), prefix="g")
    queries = store(rng.integers(0, 3, (15, 2)), rng.integers(-1, 3, 15), prefix="q")
    queries = gallery if against_itself else queries
    if not (gallery.items.labels >= 0).any():
        return
    index = Index.build(gallery, FaissSettings("euclidean", factory=factory))
    found = evaluate(index, queries, n_bootstrap=0)
    assert found.confusion.sum() == found.n_queries
    assert np.trace(found.confusion) / found.n_queries == pytest.approx(found.metrics["precision_at_1"])
    assert len(found.confusion) == len(found.class_names)


def test_neighbors_of_unknown_class_have_a_column_of_their_own():
    gallery = store([0, 1], [-1, 0], prefix="g")
    found = measured(QUERY, gallery, ks=(1,), vote_k=1)
    assert found.class_names == ("a", "b", "c", "(unknown)")
    assert found.confusion[0].tolist() == [0, 0, 0, 1]
    assert found.per_query["nearest_class"].tolist() == [""]


def test_queries_keep_their_order_and_may_come_in_any():
    queries, gallery = scene(40, 1, prefix="q"), scene(90)
    order = np.random.default_rng(0).permutation(40)
    one, other = measured(queries, gallery), measured(queries.subset(order), gallery)
    assert one.per_query["id"].tolist() == queries.items.ids.tolist()
    np.testing.assert_array_equal(one.per_query["average_precision"][order], other.per_query["average_precision"])
    assert one.metrics == pytest.approx(other.metrics)


def test_memory_does_not_grow_with_the_number_of_queries(monkeypatch):
    monkeypatch.setattr("tfretrieval.evaluation.rankers.MAX_DISTANCES", 1 << 16)
    index = Index.build(scene(2000), KNNSettings("euclidean"))

    def peak(n_queries):
        queries = scene(n_queries, 1, prefix="q")
        tracemalloc.start()
        evaluate(index, queries, n_bootstrap=0)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(50)  # warm up
    few, many = peak(50), peak(800)
    assert few < 16 << 20
    assert many < few + (8 << 20)


def test_items_below_the_depth_count_as_not_found():
    full, shallow = (measured(QUERY, GALLERY, ks=(1,), vote_k=1, depth=depth) for depth in (None, 2))
    assert full.metrics["map"] == pytest.approx((1 + 2 / 3) / 2)
    assert shallow.metrics["map"] == pytest.approx(1 / 2)
    assert shallow.per_class["a"]["ap"] == pytest.approx(1 / 2)
    assert (full.depth, shallow.depth) == (4, 2)


def test_items_that_an_approximate_index_misses_count_as_not_found():
    gallery = store([0, 0.1, 10, 10.1], [0, 1, 0, 1], prefix="g")
    index = Index.build(gallery, FaissSettings("euclidean", factory="IVF2,Flat", nprobe=1))
    found = evaluate(index, QUERY, ks=(1, 3), vote_k=3, n_bootstrap=0)
    assert found.metrics["map"] == pytest.approx(1 / 2)
    assert found.metrics["precision_at_3"] == pytest.approx(1 / 3)
    assert found.per_class["a"]["ap"] == pytest.approx(1 / 2)


def test_the_vote_is_taken_among_vote_k_neighbors():
    gallery = store([1, 2, 3, 4, 5], [1, 0, 0, 1, 1], prefix="g")
    right = {k: measured(QUERY, gallery, ks=(1,), vote_k=k).metrics["knn_accuracy"] for k in (1, 3, 4, 5)}
    assert right == {1: 0, 3: 1, 4: 0, 5: 0}


def test_macro_is_the_mean_over_classes():
    queries = store([0, 0, 0, 4], [0, 0, 0, 1], prefix="q")
    found = measured(queries, store([0, 2, 9], [0, 0, 1], prefix="g"), ks=(1,), vote_k=1)
    assert found.metrics["precision_at_1"] == 3 / 4
    assert found.macro["precision_at_1"] == (1 + 0) / 2
    assert found.macro["map"] == pytest.approx((1 + 1 / 3) / 2)


def test_every_metric_lies_in_its_interval_and_the_seed_decides():
    queries, gallery = scene(60, 1, prefix="q"), scene(90)
    found, again, other = (measured(queries, gallery, n_bootstrap=200, seed=seed) for seed in (0, 0, 1))
    assert set(found.intervals) == set(found.metrics)
    for name, (low, high) in found.intervals.items():
        assert low <= found.metrics[name] <= high
    low, high = found.intervals["map"]
    assert 0.01 < high - low < 0.3
    assert found.intervals == again.intervals != other.intervals
    assert measured(queries, gallery).intervals == {}


def test_random_labels_have_the_metrics_of_chance():
    rng = np.random.default_rng(0)
    queries = store(rng.normal(size=(400, 4)), rng.integers(0, 3, 400), prefix="q")
    gallery = store(rng.normal(size=(600, 4)), rng.integers(0, 3, 600), prefix="g")
    found = measured(queries, gallery)
    for name in ("precision_at_10", "map", "r_precision"):
        assert found.metrics[name] == pytest.approx(found.chance_precision, abs=0.03)


@pytest.mark.parametrize(
    "options",
    [
        {"ks": (1, 5)},
        {"ks": (0, 1)},
        {"ks": (1,), "vote_k": 9},
        {"ks": (3,), "vote_k": 1, "depth": 2},
        {"ks": (1,), "vote_k": 1, "depth": 5},
    ],
)
def test_a_k_out_of_range_is_refused_in_one_line(options):
    with pytest.raises(UserError):
        measured(QUERY, GALLERY, **options)


def test_queries_without_any_relevant_item_are_refused():
    with pytest.raises(UserError, match="none of the 1 queries"):
        measured(store([0], [2], prefix="q"), GALLERY)
