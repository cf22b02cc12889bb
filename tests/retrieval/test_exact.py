"""Exact neighbors from a library's rounded search."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.retrieval import exact as module
from tfretrieval.retrieval.exact import exact_neighbors, neighbors_among
from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.knn import KNNRetriever

RNG = np.random.default_rng(0)


def high_rows_first(vectors, calls):
    """A search that returns, of equally near items, those with the highest rows."""

    def search(queries, k):
        calls.append(k)
        distances = np.linalg.norm(queries[:, None] - vectors[None], axis=2)
        return len(vectors) - 1 - np.argsort(distances[:, ::-1], axis=1, kind="stable")[:, :k]

    return search


def test_ties_beyond_the_fetched_rows_are_found_by_fetching_more():
    vectors, calls = np.repeat(np.float32([[1, 0], [0, 3]]), 50, axis=0), []
    queries = np.float32([[0, 0], [0, 4]])
    distances, rows = exact_neighbors(high_rows_first(vectors, calls), queries, vectors, 3, "euclidean")
    assert rows.tolist() == [[0, 1, 2], [50, 51, 52]]
    assert distances.tolist() == [[1, 1, 1], [1, 1, 1]]
    assert calls[0] < calls[1] <= 100


def test_blocks_do_not_change_the_neighbors(monkeypatch):
    vectors = RNG.integers(-2, 3, (60, 3)).astype(np.float32)
    whole = exact_neighbors(high_rows_first(vectors, []), vectors, vectors, 5, "euclidean")
    monkeypatch.setattr(module, "MAX_RESULTS", 7)
    parts = exact_neighbors(high_rows_first(vectors, []), vectors, vectors, 5, "euclidean")
    for one, other in zip(whole, parts):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("retriever", [KNNRetriever(), FaissRetriever()])
def test_neighbors_among_some_rows_are_those_of_a_smaller_gallery(retriever):
    vectors, rows = RNG.normal(size=(80, 4)).astype(np.float32), np.array([3, 9, 27, 50, 71])
    fitted = retriever.fit(vectors)
    distances, found = neighbors_among(fitted, fitted.vectors_, vectors[:6], 3, rows)
    expected = type(retriever)().fit(vectors[rows]).kneighbors(vectors[:6], 3)
    np.testing.assert_array_equal(found, rows[expected[1]])
    np.testing.assert_array_equal(distances, expected[0])
    with pytest.raises(UserError, match="filter"):
        neighbors_among(fitted, None, vectors[:1], 1, rows)
