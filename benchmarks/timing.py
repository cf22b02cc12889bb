"""Interleaved timing of several implementations, and its summary."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

Side = Callable[[], Any]


def time_interleaved(sides: Mapping[str, Side], repeats: int, warm_ups: int = 1) -> dict[str, list[float]]:
    """Seconds of each implementation, in `repeats` rounds that run each of them once.

    Args:
        sides: name -> function. A float that it returns is taken as its seconds, as from a `Peer`, which measures in
            its own process; other functions are timed.
        repeats: number of rounds.
        warm_ups: number of rounds before, which do not count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(-warm_ups, repeats):
        for name, side in sides.items():
            started = time.perf_counter()
            result = side()
            elapsed = result if isinstance(result, float) else time.perf_counter() - started
            if repeat >= 0:
                seconds[name].append(elapsed)
    return seconds


def speedup(seconds: list[float], baseline: list[float]) -> float:
    """How many times as fast as a baseline: the median over rounds of the ratio of seconds."""
    return statistics.median(b / a for a, b in zip(seconds, baseline))


def spread(values: list[float], digits: int = 3) -> str:
    """Median and range, as text.

    >>> spread([1.0, 2.0, 4.0], 1)
    '2.0 (1.0 to 4.0)'
    """
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
