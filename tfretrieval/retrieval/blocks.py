"""Work in blocks, so that memory does not grow with its amount."""

from __future__ import annotations

from collections.abc import Iterator


def blocks(total: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` (at least 1) that cover 0..total.

    >>> list(blocks(5, 3))
    [slice(0, 3, None), slice(3, 5, None)]
    """
    size = max(1, size)
    return (slice(start, min(start + size, total)) for start in range(0, total, size))
