"""What takes long is computed once, when it is asked for, and its failure is told."""

from __future__ import annotations

import threading

from tfretrieval.errors import UserError
from tfretrieval.serve.background import Later


def test_it_begins_when_it_is_asked_for_and_is_computed_once():
    calls, go = [], threading.Event()

    def compute():
        calls.append(1)
        go.wait(10)
        return 7

    later = Later("seven", compute)
    assert (later.begun, calls) == (False, [])
    assert (later.state, later.value(0)) == ("working", None)
    go.set()
    assert later.value(10) == 7
    assert (later.state, later.reason, calls) == ("ready", "", [1])


def test_a_users_mistake_is_told_and_any_other_failure_is_in_the_log(caplog):
    def mistaken():
        raise UserError("too few")

    told, hidden = Later("the map", mistaken), Later("the map", lambda: 1 / 0)
    assert (told.value(10), told.state, told.reason) == (None, "failed", "too few")
    assert (hidden.value(10), hidden.state) == (None, "failed")
    assert hidden.reason == "the map failed; the server's log says why"
    assert "division" in caplog.text
