"""Re-ranking, worked by hand and on what it is for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfretrieval.errors import UserError
from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.neighbors import Neighbors
from tfretrieval.retrieval.reranking import RERANKERS, expand_query, reciprocal_order, rerank


def searching(vectors, metric="cosine"):
    retriever = FaissRetriever(metric=metric).fit(vectors)
    return lambda queries, k: Neighbors(*retriever.kneighbors(queries, min(k, len(vectors))))


def test_a_query_moves_towards_its_neighbors_by_their_cosine():
    query, near = np.array([1.0, 0.0]), np.array([[0.6, 0.8], [-1.0, 0.0]])
    weight = 0.6**2
    expected = np.array([1 + weight * 0.6, weight * 0.8])
    np.testing.assert_allclose(expand_query(query, near, alpha=2), expected / np.linalg.norm(expected))


def test_an_expand_query_keeps_its_length_and_one_without_neighbors_stays():
    query = np.array([3.0, 4.0], np.float32)
    moved = expand_query(query, np.array([[0.0, 9.0]], np.float32))
    assert np.linalg.norm(moved) == pytest.approx(5)
    assert moved[1] > query[1]
    np.testing.assert_array_equal(expand_query(query, np.empty((0, 2), np.float32)), query)
    np.testing.assert_array_equal(expand_query(np.zeros(2), np.eye(2)), np.zeros(2))


def test_items_that_share_neighbors_with_the_query_come_first():
    distances, rows = np.array([0.1, 0.11, 0.12, 0.13]), np.array([7, 1, 2, 3])
    # 1, 2 and 3 are each other's neighbors and near the query; 7 has a crowd of its own
    neighbors = np.array([[7, 8, 9], [1, 2, 3], [2, 1, 3], [3, 1, 2]])
    reach = np.array([0.01, 0.2, 0.2, 0.2])
    assert reciprocal_order(distances, rows, neighbors, reach).tolist() == [1, 2, 3, 0]
    assert reciprocal_order(distances, rows, neighbors, reach, weight=1).tolist() == [0, 1, 2, 3]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(RERANKERS), st.integers(1, 30), st.sampled_from(["cosine", "euclidean"]))
def test_k_distinct_items_are_returned(seed, name, k, metric):
    vectors = np.random.default_rng(seed).normal(size=(30, 5)).astype(np.float32)
    found = rerank(name, searching(vectors, metric), vectors, vectors[0] + 0.1, k)
    distances, rows = found.distances[0], found.rows[0]
    assert len(set(rows.tolist())) == len(rows) == len(distances) == k
    if name == "reciprocal":
        whole = searching(vectors, metric)((vectors[0] + 0.1)[None], 30)
        known = dict(zip(whole.rows[0].tolist(), whole.distances[0].tolist()))
        np.testing.assert_allclose(distances, [known[row] for row in rows.tolist()])


@pytest.mark.parametrize("name", ["expansion", "reciprocal"])
def test_precision_rises_on_noisy_classes(name):
    rng = np.random.default_rng(0)
    centres, labels = rng.normal(size=(8, 20)), np.repeat(np.arange(8), 25)
    centres *= 2 / np.linalg.norm(centres, axis=1, keepdims=True)
    vectors = (centres[labels] + rng.normal(0, 0.5, (200, 20))).astype(np.float32)

    def precision(way):
        found = [rerank(way, searching(vectors), vectors, vectors[row], 25).rows[0] for row in range(0, 200, 3)]
        return np.mean([labels[rows] == labels[row] for row, rows in zip(range(0, 200, 3), found)])

    assert precision(name) > precision("none") + 0.05


def test_an_unknown_reranker_is_refused():
    with pytest.raises(UserError, match="choose from none, expansion, reciprocal"):
        rerank("magic", searching(np.eye(3, dtype=np.float32)), np.eye(3), np.ones(3), 1)
