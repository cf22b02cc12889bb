"""Progress bars: on a terminal only."""

from __future__ import annotations

import logging
import sys
import time

import pytest

from tfretrieval import progress as module
from tfretrieval.progress import LinesBetweenBars, progress, working


def show_at_once(monkeypatch, delay=0.0):
    """Take stderr, as it is inside a test, for a terminal."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(module, "DELAY", delay)


def test_nothing_is_written_where_there_is_no_terminal(capsys):
    assert list(progress(range(3), "work")) == [0, 1, 2]
    with working("thinking"):
        pass
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_terminal_gets_a_bar_with_rate_and_time_left_on_stderr(capsys, monkeypatch):
    show_at_once(monkeypatch)
    for item in progress(range(3), "work", unit="step"):
        time.sleep(0.15)
        assert item < 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "work" in captured.err
    assert "step/s" in captured.err or "s/step" in captured.err
    assert "<00:0" in captured.err, "the time left"


def test_what_is_done_at_once_shows_no_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(progress(range(3), "work")) == [0, 1, 2]
    assert "work" not in capsys.readouterr().err


def test_work_that_does_not_tell_how_far_it_is_shows_the_time(capsys, monkeypatch):
    show_at_once(monkeypatch, delay=0.05)
    with working("thinking"):
        time.sleep(1.2)
    assert "thinking: 00:01" in capsys.readouterr().err


def test_an_error_inside_ends_the_clock(capsys, monkeypatch):
    show_at_once(monkeypatch)
    with pytest.raises(ValueError, match="inside"), working("thinking"):
        raise ValueError("inside")


def test_a_line_of_the_log_stands_alone_above_the_bar(capsys, monkeypatch):
    show_at_once(monkeypatch)
    log = logging.Logger("lines")
    log.addHandler(LinesBetweenBars(sys.stderr))
    with progress(None, "work", total=3) as bar:
        bar.update(1)
        bar.refresh()
        log.info("something happened")
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert "something happened" in [line.strip() for line in lines]
