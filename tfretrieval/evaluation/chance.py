"""What a random ranking reaches."""

from __future__ import annotations

import numpy as np


def expected_average_precision(n_relevant: float, n: int) -> float:
    """The mean average precision of all orders of n items of which `n_relevant` are relevant.

    A relevant item stands at each rank i with the same chance, and of the i - 1 before it a share of (R - 1) / (n - 1)
    is relevant on average: (1 / n) sum over i of (1 + (i - 1) (R - 1) / (n - 1)) / i.

    >>> expected_average_precision(1, 2), expected_average_precision(5, 5)
    (0.75, 1.0)
    """
    if n == 1:
        return 1.0
    harmonic = float((1 / np.arange(1, n + 1)).sum())
    return harmonic / n + (n_relevant - 1) / (n - 1) * (1 - harmonic / n)
