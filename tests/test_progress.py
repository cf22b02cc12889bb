"""Tests of the progress bars."""

from __future__ import annotations

import logging
import sys
import time

import pytest

from tfretrieval import progress as module
from tfretrieval.progress import LinesBetweenBars, progress, working


def pretend_terminal(monkeypatch, delay=0.0):
    """Make stderr look like a terminal, with bars that appear after a delay."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(module, "DELAY", delay)


def test_nothing_is_written_without_a_terminal(capsys):
    assert list(progress(range(3), "work")) == [0, 1, 2]
    with working("thinking"):
        pass
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_bar_on_a_terminal_shows_rate_and_remaining_time(capsys, monkeypatch):
    pretend_terminal(monkeypatch)
    for item in progress(range(3), "work", unit="step"):
        time.sleep(0.15)
        assert item < 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "work" in captured.err
    assert "step/s" in captured.err or "s/step" in captured.err
    assert "<00:0" in captured.err, "the remaining time"


def test_quick_work_shows_no_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(progress(range(3), "work")) == [0, 1, 2]
    assert "work" not in capsys.readouterr().err


def test_work_of_unknown_length_shows_the_elapsed_time(capsys, monkeypatch):
    pretend_terminal(monkeypatch, delay=0.05)
    with working("thinking"):
        time.sleep(1.2)
    assert "thinking: 00:01" in capsys.readouterr().err


def test_error_stops_the_clock(capsys, monkeypatch):
    pretend_terminal(monkeypatch)
    with pytest.raises(ValueError, match="inside"), working("thinking"):
        raise ValueError("inside")


def test_log_lines_are_written_above_the_bar(capsys, monkeypatch):
    pretend_terminal(monkeypatch)
    log = logging.Logger("lines")
    log.addHandler(LinesBetweenBars(sys.stderr))
    with progress(None, "work", total=3) as bar:
        bar.update(1)
        bar.refresh()
        log.info("something happened")
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert "something happened" in [line.strip() for line in lines]
