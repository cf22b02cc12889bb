from itertools import permutations

import numpy as np
import pytest

from tfretrieval.evaluation.chance import expected_average_precision


def average_precision(relevant):
    hits = np.flatnonzero(relevant)
    return np.mean([(i + 1) / (rank + 1) for i, rank in enumerate(hits)])


@pytest.mark.parametrize(("n_relevant", "n"), [(1, 1), (1, 4), (2, 5), (3, 6), (6, 6)])
def test_it_is_the_mean_over_all_orders(n_relevant, n):
    orders = set(permutations([1] * n_relevant + [0] * (n - n_relevant)))
    mean = np.mean([average_precision(order) for order in orders])
    assert expected_average_precision(n_relevant, n) == pytest.approx(mean)


def test_in_a_large_gallery_it_is_the_share_of_relevant_items():
    assert expected_average_precision(10_000, 100_000) == pytest.approx(0.1, abs=2e-4)
