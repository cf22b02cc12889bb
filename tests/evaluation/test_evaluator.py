import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.evaluation import evaluate
from tfretrieval.retrieval import FaissRetriever, KNNRetriever, make_retriever
from tfretrieval.retrieval.transform import Transform


def store(values, labels, class_names=None, ids=None, prefix=""):
    vectors = np.asarray(values, np.float32).reshape(len(values), -1)
    ids = ids or [f"{prefix}{row}" for row in range(len(vectors))]
    return Embeddings.from_arrays(vectors, labels, class_names or ["a", "b", "c"], ids)


def scene(n, seed=0, d=8, c=3, prefix="g"):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, c, n)
    centres = np.random.default_rng(99).normal(size=(c, d)) * 0.7
    return store(rng.normal(size=(n, d)) + centres[labels], labels, [f"c{i}" for i in range(c)], prefix=prefix)


def measured(queries, gallery, kind="knn", metric="euclidean", **options):
    options = {"n_bootstrap": 0} | options
    return evaluate(make_retriever(kind, metric=metric).fit(gallery.vectors), queries, gallery, **options)


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


def test_a_query_in_the_gallery_is_dropped_by_id_though_another_item_is_as_near():
    gallery = store([0, 0, 5], [0, 1, 0], ids=["me", "twin", "far"])
    found = measured(store([0], [0], ids=["me"]), gallery, ks=(1,), vote_k=1)
    assert found.per_query["nearest_id"].tolist() == ["twin"]
    assert found.metrics["map"] == 1 / 2
    assert found.chance_precision == 1 / 2
    stranger = measured(store([0], [0], ids=["stranger"]), gallery, ks=(1,), vote_k=1)
    assert stranger.per_query["nearest_id"].tolist() == ["me"]


def test_a_split_against_itself_never_finds_the_query():
    items = scene(60)
    found = measured(items, items)
    assert (found.per_query["nearest_id"] != found.per_query["id"]).all()
    assert (found.per_query["nearest_distance"] > 0).all()


def test_queries_of_unknown_class_or_with_nothing_to_find_are_counted():
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
@pytest.mark.parametrize("transform", [None, Transform(pca=4, renormalize=True)])
def test_both_kinds_measure_the_same(metric, transform):
    queries, gallery = scene(40, 1, prefix="q"), scene(90)
    vectors = gallery.vectors if transform is None else transform.fit_transform(gallery.vectors)
    one, other = (
        evaluate(make_retriever(kind, metric=metric).fit(vectors), queries, gallery, transform, n_bootstrap=0)
        for kind in ("knn", "faiss")
    )
    assert one.metrics == other.metrics
    assert one.dim == vectors.shape[1]
    assert (one.retriever, other.retriever) == ("knn", "faiss")


def test_average_precision_is_that_of_scikit_learn_also_with_ties():
    rng = np.random.default_rng(0)
    queries = store(rng.integers(0, 4, (30, 2)), rng.integers(0, 3, 30), prefix="q")
    gallery = store(rng.integers(0, 4, (50, 2)), rng.integers(0, 3, 50), prefix="g")
    found = measured(queries, gallery)
    distances = np.linalg.norm(queries.vectors[:, None] - gallery.vectors[None], axis=2)
    relevant = queries.labels[:, None] == gallery.labels
    expected = [average_precision_score(r, -d) for r, d in zip(relevant, distances)]
    np.testing.assert_allclose(found.per_query["average_precision"], expected, atol=1e-6)
    assert found.metrics["map"] == pytest.approx(np.mean(expected), abs=1e-6)
    for label, name in enumerate("abc"):
        its = queries.labels == label
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
    if not (gallery.labels >= 0).any():
        return
    found = evaluate(FaissRetriever(factory).fit(gallery.vectors), queries, gallery, n_bootstrap=0)
    assert found.confusion.sum() == found.n_queries
    assert np.trace(found.confusion) / found.n_queries == pytest.approx(found.metrics["precision_at_1"])
    assert len(found.confusion) == len(found.class_names)


def test_neighbors_of_unknown_class_have_a_column_of_their_own():
    gallery = store([0, 1], [-1, 0], prefix="g")
    found = measured(QUERY, gallery, ks=(1,), vote_k=1)
    assert found.class_names == ("a", "b", "c", "(unknown)")
    assert found.confusion[0].tolist() == [0, 0, 0, 1]
    assert found.per_query["nearest_class"].tolist() == [""]


@pytest.mark.parametrize("kind", ["knn", "faiss"])
def test_blocks_of_one_query_measure_the_same_as_one_block(kind):
    queries, gallery = scene(40, 1, prefix="q"), scene(90)
    whole, parts = (measured(queries, gallery, kind, block_bytes=size) for size in (1 << 28, 1))
    assert whole.metrics == pytest.approx(parts.metrics, abs=1e-12)
    np.testing.assert_array_equal(whole.confusion, parts.confusion)
    for name, (precision, recall, ap) in whole.curves.items():
        np.testing.assert_allclose(precision, parts.curves[name][0])
        np.testing.assert_allclose(recall, parts.curves[name][1])
        assert ap == pytest.approx(parts.curves[name][2])


def test_memory_follows_the_block_and_not_the_number_of_queries(monkeypatch):
    monkeypatch.setattr("tfretrieval.evaluation.class_curves.MAX_POINTS", 1000)
    gallery = scene(2000)
    retriever = KNNRetriever().fit(gallery.vectors)

    def peak(n_queries):
        queries = scene(n_queries, 1, prefix="q")
        tracemalloc.start()
        evaluate(retriever, queries, gallery, n_bootstrap=0, block_bytes=4 << 20)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    few, many = peak(50), peak(800)
    assert few < 16 << 20
    assert many < few + (4 << 20)


def test_with_a_depth_items_below_count_as_not_found():
    full, shallow = (measured(QUERY, GALLERY, ks=(1,), vote_k=1, depth=depth) for depth in (None, 2))
    assert full.metrics["map"] == pytest.approx((1 + 2 / 3) / 2)
    assert shallow.metrics["map"] == pytest.approx(1 / 2)
    assert shallow.per_class["a"]["ap"] == pytest.approx(1 / 2)
    assert (full.depth, shallow.depth) == (4, 2)


def test_an_approximate_index_that_returns_too_little_is_not_forgiven():
    gallery = store([0, 0.1, 10, 10.1], [0, 1, 0, 1], prefix="g")
    retriever = FaissRetriever("IVF2,Flat", search={"nprobe": 1})
    retriever.fit(gallery.vectors)
    found = evaluate(retriever, QUERY, gallery, ks=(1, 3), vote_k=3, n_bootstrap=0)
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


def test_labels_that_mean_nothing_score_at_chance():
    rng = np.random.default_rng(0)
    queries = store(rng.normal(size=(400, 4)), rng.integers(0, 3, 400), prefix="q")
    gallery = store(rng.normal(size=(600, 4)), rng.integers(0, 3, 600), prefix="g")
    found = measured(queries, gallery)
    for name in ("precision_at_10", "map", "r_precision"):
        assert found.metrics[name] == pytest.approx(found.chance_precision, abs=0.03)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ks": (1, 5)}, "k=5 is more than the 4 gallery items"),
        ({"ks": (0, 1)}, "k=0 must be at least 1"),
        ({"ks": (1,), "vote_k": 9}, "vote_k=9 is more than the 4"),
        ({"ks": (3,), "vote_k": 1, "depth": 2}, "k=3 is more than depth=2"),
        ({"ks": (1,), "vote_k": 1, "depth": 5}, "gallery has 4 items"),
    ],
)
def test_a_k_out_of_range_is_refused_in_one_line(options, words):
    with pytest.raises(UserError, match=words):
        measured(QUERY, GALLERY, **options)


def test_another_gallery_and_hopeless_queries_are_refused():
    with pytest.raises(UserError, match="not fitted on this gallery of 4"):
        evaluate(KNNRetriever().fit([[1.0]]), QUERY, GALLERY)
    with pytest.raises(UserError, match="none of the 1 queries"):
        measured(store([0], [2], prefix="q"), GALLERY)
