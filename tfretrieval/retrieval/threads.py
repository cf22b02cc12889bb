"""Work on all cores in threads of one core each; NumPy and FAISS let go of the interpreter while they compute."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import faiss

Part = TypeVar("Part")
Result = TypeVar("Result")


def n_threads() -> int:
    """How many threads work at once."""
    return int(faiss.omp_get_max_threads())


def in_threads(work: Callable[[Part], Result], parts: Iterable[Part]) -> list[Result]:
    """The results of `work` on every part, in their order.

    Each thread has OpenMP to itself: threads of OpenMP that wait for each other stand still on a machine that has other
    work.

    >>> in_threads(len, ["a", "bc"])
    [1, 2]
    """
    every = list(parts)
    if len(every) == 1:
        return [work(every[0])]
    with ThreadPoolExecutor(n_threads(), initializer=faiss.omp_set_num_threads, initargs=(1,)) as each:
        return list(each.map(work, every))
