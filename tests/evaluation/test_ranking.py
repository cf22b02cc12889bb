"""Rankings of whole galleries and of search results, against scikit-learn and the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from tfretrieval.evaluation.metrics import NOT_FOUND, average_precision
from tfretrieval.evaluation.ranking import rank_gallery, rank_neighbors


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(1, 5))
def test_ranks_and_average_precision_follow_the_definition_also_with_ties(seed, n, distinct):
    rng = np.random.default_rng(seed)
    distances = rng.integers(0, distinct, (4, n)).astype(np.float32)
    is_relevant = rng.random(n) < 0.4
    is_relevant[0] = True
    own_rows = rng.integers(-1, n, 4)
    ranking = rank_gallery(distances.copy(), np.flatnonzero(is_relevant), own_rows)
    precisions = ranking.precisions()
    for i, own in enumerate(own_rows):
        kept = np.arange(n) != own
        order = [row for row in np.argsort(distances[i], kind="stable") if kept[row]]
        expected = [rank for rank, row in enumerate(order, start=1) if is_relevant[row]]
        assert [rank for rank in ranking.ranks[i] if rank != NOT_FOUND] == expected
        if expected:
            ap = average_precision(precisions[i : i + 1], np.array([len(expected)]))[0]
            assert ap == pytest.approx(average_precision_score(is_relevant[kept], -distances[i][kept]), abs=1e-6)


def test_a_collapsed_embedding_gives_every_item_one_rank_by_row():
    ranking = rank_gallery(np.ones((2, 5000), np.float32), np.array([7, 10, 4999]), np.array([-1, -1]))
    assert ranking.ranks.tolist() == [[8, 11, 5000]] * 2
    np.testing.assert_allclose(ranking.precisions(), 3 / 5000)


def test_search_results_rank_only_what_they_hold():
    distances = np.float32([[1, 2, 2, np.inf], [1, 1, 3, 4]])
    is_relevant = np.array([[True, False, True, False], [False, True, False, False]])
    ranking = rank_neighbors(distances, is_relevant)
    assert ranking.ranks.tolist() == [[1, 3], [2, NOT_FOUND]]
    np.testing.assert_array_equal(ranking.relevant, [[1, 2], [1, np.inf]])
    np.testing.assert_allclose(ranking.precisions(), [[1, 2 / 3], [1 / 2, 0]])


def test_pairs_within_distances_are_counted():
    distances = np.float32([[1, 2, 3], [2, 2, 9]])
    ranking = rank_neighbors(distances, np.array([[True, False, True], [False, True, False]]))
    np.testing.assert_array_equal(ranking.n_within(np.float32([1, 2, 5])), [[1, 2, 3], [1, 4, 5]])
