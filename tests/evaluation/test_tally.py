import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tfretrieval.evaluation.tally import Tally, merged, tallied


def scores_of(values):
    return np.array(values, np.float32)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(width=32, allow_nan=False), st.booleans()), min_size=1, max_size=50))
def test_every_different_score_is_counted_in_rising_order(pairs):
    scores, relevant = scores_of([score for score, _ in pairs]), np.array([hit for _, hit in pairs])
    tally = tallied(scores, relevant, 0, most=1000)
    values = np.unique(scores)
    assert tally.counts[0].tolist() == [int(relevant[scores == value].sum()) for value in values]
    assert tally.counts.sum(axis=0).tolist() == [int((scores == value).sum()) for value in values]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(1, 9))
def test_neither_order_nor_parts_change_the_result(seed, most, parts):
    rng = np.random.default_rng(seed)
    scores = (rng.normal(size=300) * rng.choice([0.01, 1, 100])).astype(np.float32)
    relevant = rng.random(300) < 0.3

    def gathered(order, parts):
        total = Tally.empty()
        for rows in np.array_split(order, parts):
            total = merged(total, tallied(scores[rows], relevant[rows], total.dropped, most), most)
        return total

    one, other = gathered(np.arange(300), 1), gathered(rng.permutation(300), parts)
    assert one.dropped == other.dropped
    np.testing.assert_array_equal(one.keys, other.keys)
    np.testing.assert_array_equal(one.counts, other.counts)
    assert len(one.keys) <= most
    assert one.counts.sum() == 300


def test_few_different_scores_stay_exact_however_many_pairs_and_however_far_apart():
    scores = np.tile(scores_of([-1e30, -3.0, -2.9999998, 0.0, 7.0]), 1000)
    tally = tallied(scores, np.zeros(5000, bool), 0, most=10)
    assert tally.dropped == 0
    assert tally.counts[1].tolist() == [1000] * 5
