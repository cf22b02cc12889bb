"""Pooled precision-recall curves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve

from tfretrieval.evaluation.curves import MAX_THRESHOLDS, curve_thresholds, downsample_curve, pooled_curve


def pairs(n, seed=0):
    rng = np.random.default_rng(seed)
    relevant = rng.random(n) < 0.15
    return (10 - rng.normal(size=n) - relevant * 1.5).astype(np.float32), relevant


def pooled(distances, relevant, missed=0):
    thresholds = curve_thresholds(distances[relevant])
    within = [np.searchsorted(np.sort(some), thresholds, side="right") for some in (distances[relevant], distances)]
    return pooled_curve(*within, int(relevant.sum()) + missed)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=60))
def test_the_curve_is_that_of_scikit_learn_also_with_ties(items):
    distances = np.array([distance for distance, _ in items], np.float32)
    relevant = np.array([is_relevant for _, is_relevant in items])
    precision, recall, ap = pooled(distances, relevant)
    if not relevant.any():
        assert np.isnan(ap)
        return
    expected_precision, expected_recall, _ = precision_recall_curve(relevant, -distances)
    rising = np.flatnonzero(np.diff(expected_recall[:-1][::-1], prepend=0) > 0)
    np.testing.assert_allclose(precision, expected_precision[:-1][::-1][rising], atol=1e-12)
    np.testing.assert_allclose(recall, expected_recall[:-1][::-1][rising], atol=1e-12)
    assert ap == pytest.approx(average_precision_score(relevant, -distances), abs=1e-9)


def test_quantiles_of_many_distances_change_the_ap_little():
    distances, relevant = pairs(100_000)
    precision, recall, ap = pooled(distances, relevant)
    assert len(precision) == MAX_THRESHOLDS < relevant.sum()
    assert recall[-1] == 1
    assert ap == pytest.approx(average_precision_score(relevant, -distances), abs=2e-3)


def test_missed_items_lower_recall_and_ap():
    precision, recall, ap = pooled(np.float32([0.1, 0.2, 0.3]), np.array([True, False, True]), missed=2)
    np.testing.assert_allclose(precision, [1, 2 / 3])
    np.testing.assert_allclose(recall, [1 / 4, 2 / 4])
    assert ap == pytest.approx((1 + 2 / 3) / 4)


def test_infinite_distances_are_no_thresholds():
    assert curve_thresholds(np.float32([[2, 1], [np.inf, 1]])).tolist() == [1, 2]


def test_a_thinned_curve_keeps_its_shape():
    precision, recall, ap = pooled(*pairs(50_000))
    few_precision, few_recall = downsample_curve(precision, recall, max_points=500)
    assert 100 < len(few_recall) <= 500
    assert (np.diff(few_recall) > 0).all()
    assert few_recall[-1] == 1
    grid = np.linspace(0.01, 1, 200)
    gap = np.interp(grid, few_recall, few_precision) - np.interp(grid, recall, precision)
    assert np.abs(gap).max() < 0.03
    assert np.sum(np.diff(few_recall, prepend=0) * few_precision) == pytest.approx(ap, abs=0.01)


def test_a_short_curve_is_not_thinned():
    precision, recall, ap = pooled(*pairs(300))
    few_precision, few_recall = downsample_curve(precision, recall)
    assert np.sum(np.diff(few_recall, prepend=0) * few_precision) == pytest.approx(ap)
