"""Nearest neighbors within a collection."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.audit import similar_items
from tfretrieval.audit.similar_items import SimilarItems
from tfretrieval.vectors import unit_rows


def unit_vectors(n, d, seed=0):
    """Around 20 centers, with a few directions that matter, as embeddings have."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n, d)) * 3 / np.arange(1, d + 1)
    return unit_rows(rng.normal(size=(20, d))[rng.integers(0, 20, n)] + noise)


def brute_force(vectors, k, queries):
    cosines = queries @ vectors.T
    np.fill_diagonal(cosines, -2)
    rows = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(cosines, rows, axis=1), rows


@pytest.mark.parametrize("order", [None, np.arange(16)[::-1]])
def test_neighbors_agree_with_brute_force(order):
    vectors = unit_vectors(300, 16)
    cosines, rows = SimilarItems(vectors).neighbors(7, order)
    expected, expected_rows = brute_force(vectors, 7, vectors if order is None else vectors[:, order])
    np.testing.assert_allclose(cosines, expected, atol=1e-6)
    np.testing.assert_array_equal(rows, expected_rows)


@pytest.mark.parametrize("d", [16, 160])
def test_a_large_collection_is_searched_approximately_with_exact_cosines(d, monkeypatch):
    monkeypatch.setattr(similar_items, "MAX_EXACT", 1000)
    vectors = unit_vectors(4000, d)
    cosines, rows = SimilarItems(vectors).neighbors(5)
    assert not (rows == np.arange(4000)[:, None]).any()
    is_found = rows >= 0
    true = np.einsum("nd,nkd->nk", vectors, vectors[rows])
    np.testing.assert_allclose(cosines[is_found], true[is_found], atol=1e-6)
    assert (np.diff(cosines, axis=1) <= 0).all()
    expected = brute_force(vectors, 5, vectors)[1]
    assert np.mean([len(set(one) & set(other)) / 5 for one, other in zip(rows, expected)]) > 0.8


def test_equal_items_are_neighbors_but_not_of_themselves():
    cosines, rows = SimilarItems(np.repeat(np.eye(2, dtype=np.float32), 30, axis=0)).neighbors(3)
    assert (cosines == 1).all()
    assert not (rows == np.arange(60)[:, None]).any()


def test_fewer_items_than_neighbors():
    cosines, rows = SimilarItems(np.eye(2, dtype=np.float32)).neighbors(5)
    assert (cosines.tolist(), rows.tolist()) == ([[0], [0]], [[1], [0]])
    assert SimilarItems(np.eye(1, dtype=np.float32)).neighbors(5)[1].shape == (1, 0)
