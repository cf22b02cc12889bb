import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.evaluation import bootstrap
from tfretrieval.evaluation.bootstrap import bootstrap_intervals


def test_the_interval_of_a_share_is_close_to_the_normal_one():
    values = np.repeat([1.0, 0.0], [700, 300])[:, None]
    low, high = bootstrap_intervals(values, n_resamples=4000)[0]
    half = 1.96 * np.sqrt(0.7 * 0.3 / 1000)
    assert low == pytest.approx(0.7 - half, abs=0.003)
    assert high == pytest.approx(0.7 + half, abs=0.003)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        low, high = bootstrap_intervals(rng.normal(0.5, 1, size=(60, 1)), 300, seed=seed)[0]
        covered += low <= 0.5 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_a_column_alone_has_the_interval_it_has_in_company():
    values = np.random.default_rng(0).random((50, 3))
    together = bootstrap_intervals(values, 200)
    for column in range(3):
        np.testing.assert_allclose(bootstrap_intervals(values[:, [column]], 200)[0], together[column], rtol=1e-12)


def test_chunks_do_not_change_the_result(monkeypatch):
    values = np.random.default_rng(0).random((37, 2))
    whole = bootstrap_intervals(values, 101, seed=5)
    monkeypatch.setattr(bootstrap, "CELLS", 100)
    np.testing.assert_allclose(bootstrap_intervals(values, 101, seed=5), whole, rtol=1e-12)


def test_the_seed_decides():
    values = np.random.default_rng(0).random((40, 1))
    first, again, other = (bootstrap_intervals(values, 100, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_nothing_to_draw_from_is_refused():
    for values, n in ((np.empty((0, 1)), 10), (np.ones((3, 1)), 0)):
        with pytest.raises(UserError):
            bootstrap_intervals(values, n)
