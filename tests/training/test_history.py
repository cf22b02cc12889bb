"""Tests of the training history."""

from __future__ import annotations

import pytest

from tfretrieval.errors import UserError
from tfretrieval.training.history import best_epoch, read_history, write_history


def test_history_with_missing_metrics_survives_a_file(tmp_path):
    rows = [{"epoch": 1.0, "loss": 0.5}, {"epoch": 2.0, "loss": 0.25, "val_map": 0.75}]
    write_history(tmp_path / "h.csv", rows)
    assert read_history(tmp_path / "h.csv") == rows
    write_history(tmp_path / "h.csv", [])
    assert read_history(tmp_path / "h.csv") == []


def test_damaged_history_is_an_error(tmp_path):
    (tmp_path / "h.csv").write_text("epoch,loss\n1,many\n")
    with pytest.raises(UserError, match=r"h\.csv"):
        read_history(tmp_path / "h.csv")


def test_best_epoch_is_the_first_with_the_highest_monitor():
    rows = [{"epoch": 1, "m": 0.2}, {"epoch": 2, "m": 0.9}, {"epoch": 3, "m": 0.9}, {"epoch": 4}]
    assert best_epoch(rows, "m")["epoch"] == 2
    assert best_epoch(rows, "other")["epoch"] == 4
    assert best_epoch([], "m") is None
