"""Work in blocks, so that memory does not grow with its amount."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def blocks(total: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` (at least 1) that cover 0..total.

    >>> list(blocks(5, 3))
    [slice(0, 3, None), slice(3, 5, None)]
    """
    size = max(1, size)
    return (slice(start, min(start + size, total)) for start in range(0, total, size))


def weighted_blocks(weights: np.ndarray, room: float, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover all weights; those of more than one weigh at most `room` together.

    >>> list(weighted_blocks(np.array([1, 1, 1, 9]), room=2, size=10))
    [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None)]
    """
    before = np.concatenate([[0], np.cumsum(weights)])
    start = 0
    while start < len(weights):
        fitting = int(np.searchsorted(before, before[start] + room, side="right")) - 1
        stop = max(start + 1, min(start + max(1, size), fitting))
        yield slice(start, stop)
        start = stop
