"""Background tasks run once, on demand, and report failures."""

from __future__ import annotations

import threading

from tfretrieval.errors import UserError
from tfretrieval.serve.background import BackgroundTask


def test_a_task_starts_on_demand_and_runs_once():
    calls, go = [], threading.Event()

    def compute():
        calls.append(1)
        go.wait(10)
        return 7

    task = BackgroundTask("seven", compute)
    assert (task.is_started, calls) == (False, [])
    assert (task.state, task.result(0)) == ("running", None)
    go.set()
    assert task.result(10) == 7
    assert (task.state, task.error, calls) == ("ready", "", [1])


def test_user_errors_are_reported_and_other_failures_logged(caplog):
    def fail():
        raise UserError("too few")

    user_error, other = BackgroundTask("the map", fail), BackgroundTask("the map", lambda: 1 / 0)
    assert (user_error.result(10), user_error.state, user_error.error) == (None, "failed", "too few")
    assert (other.result(10), other.state) == (None, "failed")
    assert other.error
    assert "division" not in other.error
    assert "division" in caplog.text
