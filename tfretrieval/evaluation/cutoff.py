"""What metrics at k and metrics over R have in common: a valid k, and a share that may have no whole."""

from __future__ import annotations

import numpy as np

from tfretrieval.errors import UserError


def checked_k(k: int) -> int:
    """K itself.

    Raises:
        UserError: it is below 1.
    """
    if k < 1:
        raise UserError(f"a metric at k needs a k of at least 1, not {k}")
    return k


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Part / whole, float64; NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=np.asarray(whole) > 0)
