"""Progress bars: on a terminal only."""

from __future__ import annotations

import sys

from tfretrieval.progress import progress


def test_nothing_is_written_where_there_is_no_terminal(capsys):
    assert list(progress(range(3), "work")) == [0, 1, 2]
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_a_terminal_gets_a_bar_on_stderr(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(progress(range(3), "work")) == [0, 1, 2]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "work" in captured.err
