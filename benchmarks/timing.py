"""Two sides measured in turn, and what is told of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

Side = Callable[[], Any]


def in_turn(sides: Mapping[str, Side], repeats: int, warm_ups: int = 1) -> dict[str, list[float]]:
    """The seconds of each side, `repeats` of them, one side after the other in every round.

    A side that returns a float has measured itself, as a `Peer` does in its own process; else its call is timed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for repeat in range(-warm_ups, repeats):
        for name, side in sides.items():
            started = time.perf_counter()
            answer = side()
            taken = answer if isinstance(answer, float) else time.perf_counter() - started
            if repeat >= 0:
                seconds[name].append(taken)
    return seconds


def times_as_fast(side: list[float], peer: list[float]) -> float:
    """How many times as fast as `peer` a side is: the median over rounds of peer's seconds / its own."""
    return statistics.median(b / a for a, b in zip(side, peer))


def spread(values: list[float], digits: int = 3) -> str:
    """Median and range, as text."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
