from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfretrieval.errors import UserError
from tfretrieval.evaluation import metrics

#                       rank:  1  2  3  4  5
RELEVANT = np.array([[1, 0, 1, 0, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]], bool)
BY_HAND = metrics.ranks_of(RELEVANT)
R = np.array([3, 1, 2])


def test_precision_worked_by_hand():
    np.testing.assert_allclose(metrics.precision_at_k(BY_HAND, 1), [1, 0, 0])
    np.testing.assert_allclose(metrics.precision_at_k(BY_HAND, 3), [2 / 3, 0, 0])


def test_ranks_beyond_the_ranking_are_not_relevant():
    np.testing.assert_allclose(metrics.precision_at_k(BY_HAND, 10), [0.2, 0.1, 0])


def test_hit_rate_worked_by_hand():
    np.testing.assert_array_equal(metrics.hit_rate_at_k(BY_HAND, 4), [1, 0, 0])
    np.testing.assert_array_equal(metrics.hit_rate_at_k(BY_HAND, 5), [1, 1, 0])


def test_recall_worked_by_hand():
    np.testing.assert_allclose(metrics.recall_at_k(BY_HAND, R, 5), [2 / 3, 1, 0])


def test_r_precision_worked_by_hand():
    np.testing.assert_allclose(metrics.r_precision(BY_HAND, R), [2 / 3, 0, 0])


def test_reciprocal_rank_worked_by_hand():
    np.testing.assert_allclose(metrics.reciprocal_rank(BY_HAND), [1, 1 / 5, 0])


def test_ndcg_worked_by_hand():
    perfect = 1 + 1 / np.log2(3) + 1 / 2
    np.testing.assert_allclose(metrics.ndcg_at_k(BY_HAND, R, 5), [1.5 / perfect, 1 / np.log2(6), 0])


@pytest.mark.parametrize(
    "of", [metrics.recall_at_k, metrics.ndcg_at_k, metrics.map_at_k, metrics.r_precision, metrics.map_at_r]
)
def test_a_query_without_relevant_items_is_nan_without_a_warning(of, recwarn):
    k = () if of in (metrics.r_precision, metrics.map_at_r) else (3,)
    assert np.isnan(of(metrics.ranks_of(np.zeros((1, 4), bool)), np.array([0]), *k)).all()
    assert not len(recwarn)


@pytest.mark.parametrize(
    "call",
    [
        lambda: metrics.precision_at_k(BY_HAND, 0),
        lambda: metrics.hit_rate_at_k(BY_HAND, 0),
        lambda: metrics.recall_at_k(BY_HAND, R, -1),
        lambda: metrics.ndcg_at_k(BY_HAND, R, 0),
        lambda: metrics.map_at_k(BY_HAND, R, 0),
    ],
)
def test_a_k_below_one_is_refused(call):
    with pytest.raises(UserError, match="k must be 1"):
        call()


def trec(relevant, n_relevant, measures):
    pytrec_eval = pytest.importorskip("pytrec_eval", reason="pytrec_eval is not installed: pip install '.[test]'")
    m = relevant.shape[1]
    wanted, run = {}, {}
    for query, row in enumerate(relevant):
        wanted[str(query)] = {f"d{i}": int(r) for i, r in enumerate(row)}
        wanted[str(query)] |= {f"missed{i}": 1 for i in range(int(n_relevant[query] - row.sum()))}
        run[str(query)] = {f"d{i}": float(m - i) for i in range(m)}
    return pytrec_eval.RelevanceEvaluator(wanted, measures).evaluate(run)


@pytest.mark.parametrize("missed", [0, 3])
def test_every_metric_agrees_with_trec_eval(missed):
    relevant = np.random.default_rng(0).random((200, 40)) < 0.2
    relevant[:, 7] = True
    n_relevant = relevant.sum(axis=1) + missed
    expected_of = trec(relevant, n_relevant, {"map", "P", "recall", "ndcg_cut", "recip_rank", "Rprec", "success"})
    ranks = metrics.ranks_of(relevant)
    values_of = {
        "map": metrics.average_precision(metrics.precisions_at(ranks), n_relevant),
        "Rprec": metrics.r_precision(ranks, n_relevant),
        "recip_rank": metrics.reciprocal_rank(ranks),
    }
    for k in (5, 10, 30):
        values_of[f"P_{k}"] = metrics.precision_at_k(ranks, k)
        values_of[f"recall_{k}"] = metrics.recall_at_k(ranks, n_relevant, k)
        values_of[f"ndcg_cut_{k}"] = metrics.ndcg_at_k(ranks, n_relevant, k)
    for k in (1, 5, 10):
        values_of[f"success_{k}"] = metrics.hit_rate_at_k(ranks, k)
    for name, values in values_of.items():
        expected = [expected_of[str(query)][name] for query in range(len(relevant))]
        np.testing.assert_allclose(values, expected, atol=1e-6, err_msg=name)


def average_precision(ranks, n_relevant):
    return metrics.average_precision(metrics.precisions_at(ranks), n_relevant)


def test_ranks_are_those_of_the_relevant_items():
    none = metrics.NOT_FOUND
    np.testing.assert_array_equal(BY_HAND, [[1, 3], [5, none], [none, none]])


def test_average_precision_worked_by_hand():
    np.testing.assert_allclose(average_precision(BY_HAND, R), [(1 + 2 / 3) / 3, 1 / 5, 0])


def test_map_at_r_worked_by_hand():
    np.testing.assert_allclose(metrics.map_at_r(BY_HAND, R), [(1 + 2 / 3) / 3, 0, 0])


def test_map_at_k_divides_by_the_smaller_of_r_and_k():
    np.testing.assert_allclose(metrics.map_at_k(BY_HAND, np.array([2, 1, 1]), 3), [(1 + 2 / 3) / 2, 0, 0])
    np.testing.assert_allclose(metrics.map_at_k(BY_HAND, np.array([9, 9, 9]), 3), [(1 + 2 / 3) / 3, 0, 0])


@pytest.mark.parametrize(("n_relevant", "n"), [(1, 1), (1, 4), (2, 5), (3, 6), (6, 6)])
def test_the_expected_average_precision_is_the_mean_over_all_orders(n_relevant, n):
    orders = np.array(sorted(set(permutations([1] * n_relevant + [0] * (n - n_relevant)))), bool)
    mean = average_precision(metrics.ranks_of(orders), np.full(len(orders), n_relevant)).mean()
    assert metrics.expected_average_precision(n_relevant, n) == pytest.approx(mean)


def test_the_expected_average_precision_of_a_large_gallery_is_the_fraction_of_relevant_items():
    assert metrics.expected_average_precision(10_000, 100_000) == pytest.approx(0.1, abs=2e-4)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(0, 5), st.integers(1, 40))
def test_values_lie_between_0_and_1_and_a_perfect_ranking_reaches_1(row, missed, k):
    total = np.array([sum(row)])
    ranks, perfect = metrics.ranks_of(np.array([row])), metrics.ranks_of(np.array([sorted(row, reverse=True)]))
    if total[0]:
        for of in (average_precision, metrics.map_at_r, metrics.r_precision):
            assert 0 <= of(ranks, total + missed)[0] <= 1
            assert of(perfect, total)[0] == pytest.approx(1)
        for of in (metrics.map_at_k, metrics.ndcg_at_k):
            assert 0 <= of(ranks, total + missed, k)[0] <= 1
            assert of(perfect, total, k)[0] == pytest.approx(1)
        assert metrics.recall_at_k(ranks, total, len(row))[0] == 1
    assert metrics.hit_rate_at_k(ranks, k)[0] == (metrics.precision_at_k(ranks, k)[0] > 0)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.booleans(), min_size=2, max_size=30), st.data())
def test_moving_a_relevant_item_up_never_lowers_a_metric(row, data):
    place = data.draw(st.integers(0, len(row) - 2))
    row[place], row[place + 1] = False, True
    better = row.copy()
    better[place], better[place + 1] = True, False
    before, after = metrics.ranks_of(np.array([row])), metrics.ranks_of(np.array([better]))
    n_relevant = np.array([sum(row)])
    for of in (average_precision, metrics.map_at_r, metrics.r_precision):
        assert of(after, n_relevant)[0] >= of(before, n_relevant)[0]
    assert metrics.reciprocal_rank(after)[0] >= metrics.reciprocal_rank(before)[0]
    for k in (1, 2, 5):
        assert metrics.ndcg_at_k(after, n_relevant, k)[0] >= metrics.ndcg_at_k(before, n_relevant, k)[0]
