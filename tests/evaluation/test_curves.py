import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve

from tfretrieval.errors import UserError
from tfretrieval.evaluation.curves import GATHERED, PooledCurve, thinned


def ranking(n, seed=0):
    rng = np.random.default_rng(seed)
    relevant = rng.random(n) < 0.15
    return (rng.normal(size=n) + relevant * 1.5).astype(np.float32), relevant


def pooled(scores, relevant, max_points=10**6, parts=7, missed=0):
    curve = PooledCurve(max_points)
    for some, theirs in zip(np.array_split(scores, parts), np.array_split(relevant, parts)):
        curve.add(some, theirs)
    curve.add(np.empty(0), np.empty(0, bool), missed)
    return curve.curve()


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=60), st.integers(1, 5))
def test_the_curve_is_that_of_scikit_learn_also_with_ties(items, parts):
    scores = np.array([score for score, _ in items], np.float32)
    relevant = np.array([is_relevant for _, is_relevant in items])
    precision, recall, ap = pooled(scores, relevant, parts=parts)
    if not relevant.any():
        assert np.isnan(ap)
        return
    their_precision, their_recall, _ = precision_recall_curve(relevant, scores)
    np.testing.assert_allclose(precision, their_precision[:-1][::-1], atol=1e-12)
    np.testing.assert_allclose(recall, their_recall[:-1][::-1], atol=1e-12)
    assert ap == pytest.approx(average_precision_score(relevant, scores), abs=1e-9)


def test_many_scores_in_few_points_change_the_ap_little():
    scores, relevant = ranking(50_000)
    precision, _, ap = pooled(scores, relevant, max_points=2000)
    assert len(precision) <= 2000
    assert ap == pytest.approx(average_precision_score(relevant, scores), abs=2e-3)


def test_small_blocks_stay_exact_below_the_bound():
    scores, relevant = ranking(900)
    whole, parts = pooled(scores, relevant, 900, parts=1), pooled(scores, relevant, 900, parts=400)
    np.testing.assert_array_equal(whole[0], parts[0])
    assert whole[2] == parts[2] == pytest.approx(average_precision_score(relevant, scores))


def test_memory_is_bounded():
    curve = PooledCurve(max_points=100)
    for seed in range(50):
        curve.add(*ranking(1000, seed))
        held = len(curve._tally.keys) + sum(len(scores) for scores, _ in curve._waiting)
        assert held <= 100 * (1 + GATHERED)


def test_missed_items_lower_recall_and_ap():
    scores, relevant = np.array([0.9, 0.8, 0.7]), np.array([True, False, True])
    precision, recall, ap = pooled(scores, relevant, missed=2)
    np.testing.assert_allclose(precision, [1, 1 / 2, 2 / 3])
    np.testing.assert_allclose(recall, [1 / 4, 1 / 4, 2 / 4])
    assert ap == pytest.approx((1 + 2 / 3) / 4)


def test_a_bound_below_two_is_refused():
    with pytest.raises(UserError, match="at least 2"):
        PooledCurve(1)


def test_a_thinned_curve_keeps_its_shape():
    precision, recall, ap = pooled(*ranking(50_000))
    few_precision, few_recall = thinned(precision, recall, most=500)
    assert 100 < len(few_recall) <= 500
    assert (np.diff(few_recall) > 0).all()
    assert few_recall[-1] == 1
    grid = np.linspace(0.01, 1, 200)
    gap = np.interp(grid, few_recall, few_precision) - np.interp(grid, recall, precision)
    assert np.abs(gap).max() < 0.03
    steps = np.sum(np.diff(few_recall, prepend=0) * few_precision)
    assert steps == pytest.approx(ap, abs=0.01)


def test_a_short_curve_loses_only_points_where_recall_stands_still():
    precision, recall, ap = pooled(*ranking(300))
    few_precision, few_recall = thinned(precision, recall)
    assert np.sum(np.diff(few_recall, prepend=0) * few_precision) == pytest.approx(ap)
