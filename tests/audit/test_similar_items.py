"""Neighbors of the items of a collection among themselves."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.audit import similar_items as within
from tfretrieval.audit.similar_items import Within
from tfretrieval.vectors import unit_rows


def units(n, d, seed=0):
    """Around 20 centres, with a few directions that matter, as embeddings have."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n, d)) * 3 / np.arange(1, d + 1)
    return unit_rows(rng.normal(size=(20, d))[rng.integers(0, 20, n)] + noise)


def brute(vectors, k, queries):
    cosines = queries @ vectors.T
    np.fill_diagonal(cosines, -2)
    rows = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(cosines, rows, axis=1), rows


@pytest.mark.parametrize("order", [None, np.arange(16)[::-1]])
def test_neighbors_are_those_of_all_cosines(order):
    vectors = units(300, 16)
    cosines, rows = Within(vectors).neighbors(7, order)
    expected, expected_rows = brute(vectors, 7, vectors if order is None else vectors[:, order])
    np.testing.assert_allclose(cosines, expected, atol=1e-6)
    np.testing.assert_array_equal(rows, expected_rows)


@pytest.mark.parametrize("d", [16, 160])
def test_a_large_collection_is_searched_approximately_with_true_cosines(d, monkeypatch):
    monkeypatch.setattr(within, "EXACT", 1000)
    vectors = units(4000, d)
    cosines, rows = Within(vectors).neighbors(5)
    assert not (rows == np.arange(4000)[:, None]).any()
    there = rows >= 0
    true = np.einsum("nd,nkd->nk", vectors, vectors[rows])
    np.testing.assert_allclose(cosines[there], true[there], atol=1e-6)
    assert (np.diff(cosines, axis=1) <= 0).all()
    expected = brute(vectors, 5, vectors)[1]
    assert np.mean([len(set(one) & set(other)) / 5 for one, other in zip(rows, expected)]) > 0.8


def test_equal_items_find_each_other_and_not_themselves():
    cosines, rows = Within(np.repeat(np.eye(2, dtype=np.float32), 30, axis=0)).neighbors(3)
    assert (cosines == 1).all()
    assert not (rows == np.arange(60)[:, None]).any()


def test_two_items():
    cosines, rows = Within(np.eye(2, dtype=np.float32)).neighbors(1)
    assert (cosines.tolist(), rows.tolist()) == ([[0], [0]], [[1], [0]])
