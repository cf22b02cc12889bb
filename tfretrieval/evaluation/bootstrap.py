"""Bootstrap intervals of means over queries."""

import numpy as np

from tfretrieval.errors import UserError

CELLS = 1 << 22


def bootstrap_intervals(
    values: np.ndarray, n_resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> np.ndarray:
    """Percentile intervals of the means of the columns, float64 [metrics, 2] with low and high.

    Queries are drawn with replacement, the same ones for every metric.

    Args:
        values: float [q, metrics], q >= 1: one value a query and metric.
        n_resamples: 1 or more.
        confidence: share of the resampled means inside, 0..1.
        seed: of the draws.

    Raises:
        UserError: there is no query or no resample.

    >>> bootstrap_intervals(np.full((10, 1), 0.5))
    array([[0.5, 0.5]])
    """
    q = len(values)
    if not q or n_resamples < 1:
        raise UserError(f"a bootstrap needs queries and resamples, not {q} and {n_resamples}")
    generator = np.random.default_rng(seed)
    means = np.empty((n_resamples, values.shape[1]))
    chunk = max(1, CELLS // q)
    for start in range(0, n_resamples, chunk):
        rows = min(chunk, n_resamples - start)
        drawn = generator.integers(0, q, size=(rows, q)) + q * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * q).reshape(rows, q)
        means[start : start + rows] = times @ values / q
    tail = (1 - confidence) / 2
    return np.quantile(means, [tail, 1 - tail], axis=0).T
