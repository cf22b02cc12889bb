import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from tfretrieval.evaluation.average_precision import average_precision, map_at_k, map_at_r

BY_HAND = np.array([[1, 0, 1, 0, 0], [0, 0, 0, 0, 1]], bool)


def test_average_precision_worked_by_hand():
    np.testing.assert_allclose(average_precision(BY_HAND, np.array([2, 1])), [(1 + 2 / 3) / 2, 1 / 5])


def test_relevant_items_that_were_never_returned_count():
    np.testing.assert_allclose(average_precision(BY_HAND, np.array([4, 2])), [(1 + 2 / 3) / 4, 1 / 10])


def test_map_at_r_worked_by_hand():
    np.testing.assert_allclose(map_at_r(BY_HAND, np.array([3, 1])), [(1 + 2 / 3) / 3, 0])


def test_map_at_k_divides_by_the_lesser_of_r_and_k():
    np.testing.assert_allclose(map_at_k(BY_HAND, np.array([2, 1]), 3), [(1 + 2 / 3) / 2, 0])
    np.testing.assert_allclose(map_at_k(BY_HAND, np.array([9, 9]), 3), [(1 + 2 / 3) / 3, 0])


def test_all_items_at_one_distance_score_what_chance_scores():
    relevant = np.array([[True, True, False, False, False]])
    np.testing.assert_allclose(average_precision(relevant, np.array([2]), np.zeros((1, 5))), [2 / 5])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=40))
def test_ties_are_one_step_as_in_scikit_learn(items):
    items.sort(key=lambda item: item[0])
    distances = np.array([[distance for distance, _ in items]], np.float32)
    relevant = np.array([[is_relevant for _, is_relevant in items]])
    ours = average_precision(relevant, relevant.sum(axis=1), distances)[0]
    if not relevant.any():
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(average_precision_score(relevant[0], -distances[0]), abs=1e-6)


def test_agreement_with_scikit_learn_on_random_rankings():
    rng = np.random.default_rng(0)
    distances = np.sort(rng.random((100, 300)).round(2), axis=1)
    relevant = rng.random((100, 300)) < 0.1
    theirs = [average_precision_score(r, -d) for r, d in zip(relevant, distances)]
    ours = average_precision(relevant, relevant.sum(axis=1), distances)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_without_ties_distances_change_nothing():
    relevant = np.random.default_rng(0).random((20, 50)) < 0.3
    relevant[:, 0] = True
    n_relevant = relevant.sum(axis=1)
    distances = np.tile(np.arange(50.0), (20, 1))
    np.testing.assert_array_equal(
        average_precision(relevant, n_relevant, distances), average_precision(relevant, n_relevant)
    )
