"""Map a function over items in threads, with bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
PENDING_PER_THREAD = 4


def map_in_threads(function: Callable[[int], T], items: Iterable[int], n_threads: int) -> Iterator[T]:
    """Results of a function for each item, in order, computed at most a few calls ahead.

    >>> list(map_in_threads(lambda item: 2 * item, range(3), n_threads=2))
    [0, 2, 4]
    """
    pool = ThreadPoolExecutor(n_threads)
    pending: deque[Future[T]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > PENDING_PER_THREAD * n_threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
