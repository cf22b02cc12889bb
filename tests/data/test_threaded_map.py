"""Tests of mapping in threads."""

from __future__ import annotations

import threading

import pytest

from tfretrieval.data.threaded_map import PENDING_PER_THREAD, map_in_threads


def test_results_are_in_order_and_computed_in_other_threads():
    results = list(map_in_threads(lambda item: (item, threading.current_thread().name), range(50), 3))
    assert [item for item, _ in results] == list(range(50))
    assert threading.current_thread().name not in {name for _, name in results}


def test_only_a_few_calls_run_ahead():
    started = []
    results = map_in_threads(lambda item: started.append(item), range(1000), 2)
    next(results)
    assert len(started) <= 2 * PENDING_PER_THREAD + 2
    results.close()
    assert len(started) <= 2 * PENDING_PER_THREAD + 2


def test_an_error_is_raised_at_its_item():
    results = map_in_threads(lambda item: 1 // item, [2, 1, 0, 3], 2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
