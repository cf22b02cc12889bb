"""`Neighbors`: self-exclusion and labels."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tfretrieval.retrieval.neighbors import Neighbors


@given(st.integers(1, 8), st.integers(1, 6), st.integers(0, 1000))
def test_the_excluded_row_is_gone_and_the_order_stays(k, q, seed):
    rng = np.random.default_rng(seed)
    rows = np.array([rng.permutation(9)[:k] for _ in range(q)])
    own = rng.integers(-1, 9, q)
    found = Neighbors(np.sort(rng.random((q, k)).astype(np.float32)), rows).excluding(own)
    for before, row, after in zip(rows.tolist(), own.tolist(), found.rows.tolist()):
        expected = [other for other in before if other != row]
        assert after == expected + [-1] * (k - len(expected))
    assert (np.isinf(found.distances) == (found.rows < 0)).all()


def test_a_missing_neighbor_is_no_query_of_unknown_row():
    found = Neighbors(np.float32([[1, np.inf]]), np.array([[4, -1]])).excluding(np.array([-1]))
    assert found.rows.tolist() == [[4, -1]]
    assert found.first(1).rows.tolist() == [[4]]


def test_labels_of_missing_neighbors_are_unknown():
    neighbors = Neighbors(np.float32([[1, 2, np.inf]]), np.array([[1, 0, -1]]))
    assert neighbors.labels(np.array([5, 7])).tolist() == [[7, 5, -1]]
