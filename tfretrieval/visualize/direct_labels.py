"""Names beside what they name, none upon another."""

from __future__ import annotations

import numpy as np

ROUNDS = 400
ENOUGH = 0.1  # of an overlap that is left, in the units of the boxes


def spread_apart(centres: np.ndarray, sizes: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Move boxes apart until none lies upon another, each as little as it takes, and keep them inside a frame.

    Two boxes part along the axis on which they overlap less, each by half, until less than a tenth of a unit is left.
    Where the frame is too full for all of them, more overlap is.

    Args:
        centres: float [c, 2], where the boxes would best be.
        sizes: float [c, 2], their widths and heights.
        low: float [2], the lower left corner of the frame.
        high: float [2], the upper right corner.

    Returns:
        float64 [c, 2].

    >>> boxes = np.array([[4.0, 2.0], [4.0, 2.0]])
    >>> spread_apart(np.array([[5.0, 5.0], [5.5, 5.5]]), boxes, np.zeros(2), np.full(2, 10.0)).tolist()
    [[5.0, 4.25], [5.5, 6.25]]
    """
    sizes = np.asarray(sizes, float)
    places = _inside(np.array(centres, float), sizes, low, high)
    for _ in range(ROUNDS):
        moved = False
        for i in range(len(places)):
            for j in range(i + 1, len(places)):
                apart = places[j] - places[i]
                overlap = (sizes[i] + sizes[j]) / 2 - np.abs(apart)
                if (overlap > ENOUGH).all():
                    axis = int(np.argmin(overlap))
                    push = overlap[axis] / 2 * (1 if apart[axis] >= 0 else -1)
                    places[i, axis] -= push
                    places[j, axis] += push
                    moved = True
        places = _inside(places, sizes, low, high)
        if not moved:
            break
    return places


def _inside(places: np.ndarray, sizes: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.maximum(np.minimum(places, np.asarray(high) - sizes / 2), np.asarray(low) + sizes / 2)
