"""Everything within a radius, and the many neighbors that are found by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfretrieval.errors import UserError
from tfretrieval.retrieval import FaissRetriever, make_retriever
from tfretrieval.retrieval.distances import all_distances
from tfretrieval.retrieval.order import full_rankings
from tfretrieval.retrieval.radius import expected_within, parts_within, within_radius

METRICS = ["euclidean", "cosine"]


def prepared(rng, n, d, metric):
    vectors = rng.integers(-3, 4, (n, d)).astype(np.float32)
    if metric == "cosine":
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(norms > 0, norms, 1)
    return vectors


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(METRICS), st.integers(1, 60), st.integers(1, 4))
def test_all_rows_within_the_radius_are_found_with_their_distances(seed, metric, n, d):
    rng = np.random.default_rng(seed)
    gallery, queries = prepared(rng, n, d, metric), prepared(rng, 9, d, metric)
    every = all_distances(queries, gallery, metric)
    radii = every[np.arange(9), rng.integers(0, n, 9)]
    radii[:2] = 0, np.inf
    for (distances, rows), truth, radius in zip(within_radius(queries, gallery, radii, metric), every, radii):
        np.testing.assert_array_equal(rows, np.flatnonzero(truth <= radius))
        np.testing.assert_array_equal(distances, truth[rows])


@pytest.mark.parametrize("metric", METRICS)
def test_tiles_and_parts_do_not_change_what_is_found(metric, monkeypatch):
    rng = np.random.default_rng(0)
    retriever = make_retriever("faiss", metric=metric).fit(rng.normal(size=(500, 8)))
    queries = rng.normal(size=(40, 8))
    radii = retriever.kneighbors(queries, 70)[0][:, -1]
    whole = retriever.radius_neighbors(queries, radii)
    assert [len(rows) for _, rows in whole] == [70] * 40
    for name, size in {"TILE": 33, "PART_BYTES": 1, "SAMPLE": 10}.items():
        monkeypatch.setattr(f"tfretrieval.retrieval.radius.{name}", size)
    for one, other in zip(whole, retriever.radius_neighbors(queries, radii)):
        np.testing.assert_array_equal(one, other)


def test_one_radius_serves_all_queries():
    retriever = make_retriever("knn").fit(np.arange(6.0)[:, None])
    assert [rows.tolist() for _, rows in retriever.radius_neighbors([[0.0], [4.0]], 1)] == [[0, 1], [3, 4, 5]]
    assert [len(near) for near, _ in retriever.radius_neighbors([[9.0]], 1)] == [0]
    assert retriever.radius_neighbors(np.empty((0, 1)), 1) == []


def test_an_approximate_index_has_no_radius():
    index = FaissRetriever("HNSW8").fit(np.random.default_rng(0).normal(size=(50, 4)))
    with pytest.raises(UserError, match="exact"):
        index.radius_neighbors(np.zeros((1, 4)), 1)


def test_how_many_are_expected_is_about_how_many_there_are():
    rng = np.random.default_rng(0)
    gallery, queries = rng.normal(size=(20_000, 4)).astype(np.float32), rng.normal(size=(30, 4)).astype(np.float32)
    radii = np.linspace(0.5, 4, 30).astype(np.float32)
    found = np.array([len(rows) for _, rows in within_radius(queries, gallery, radii, "euclidean")])
    expected = expected_within(queries, gallery, radii, "euclidean")
    share = found / 20_000
    assert (np.abs(expected - found) <= 20_000 * (2 / 1024 + 4 * np.sqrt(share * (1 - share) / 1024))).all()


def test_parts_are_small_where_nearly_everything_is_near(monkeypatch):
    monkeypatch.setattr("tfretrieval.retrieval.radius.PART_BYTES", 48 * 30_000)
    alike = np.zeros((10_000, 4), np.float32)
    parts = parts_within(alike[:50], alike, np.full(50, 1, np.float32), "euclidean")
    assert {part.stop - part.start for part in parts} == {3, 2}


@pytest.mark.parametrize("kind", ["knn", "faiss"])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("gallery", ["spread", "by class", "in turn", "with many ties", "all the same"])
def test_many_neighbors_are_those_of_whole_rankings(kind, metric, gallery):
    rng = np.random.default_rng(0)
    n, k = 3000, 200
    classes = {"by class": np.arange(n) // 100, "in turn": np.arange(n) % 32}
    if gallery in classes:
        vectors = rng.normal(size=(n, 6)) + 9 * rng.normal(size=(n, 6))[classes[gallery]]
    elif gallery == "with many ties":
        vectors = rng.integers(-1, 2, (n, 6)).astype(float)
    elif gallery == "all the same":
        vectors = np.ones((n, 6))
    else:
        vectors = rng.normal(size=(n, 6))
    retriever = make_retriever(kind, metric=metric).fit(vectors)
    queries = np.vstack([vectors[:20], rng.normal(size=(20, 6)), np.zeros((1, 6))]).astype(np.float32)
    distances, rows = retriever.kneighbors(queries, k)
    truth = full_rankings(retriever._prepared(queries), retriever._stored_vectors(), k, metric)
    np.testing.assert_array_equal(rows, truth[1])
    np.testing.assert_array_equal(distances, truth[0])
