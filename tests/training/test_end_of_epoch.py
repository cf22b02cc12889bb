"""The row of history that closes an epoch."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.runs import Run
from tfretrieval.training.checkpoints import TrainState
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.end_of_epoch import EpochEnd
from tfretrieval.training.history import read_history
from tfretrieval.training.network import build_network


@pytest.fixture
def end(tmp_path):
    config = TrainConfig.for_recipe("triplet", image_size=16, epochs=3, patience=2)
    return EpochEnd(TrainState(), config, build_network(config, 3), Run(tmp_path))


def test_the_best_value_wins_and_a_tie_keeps_the_first(end):
    stopped = [end.close({"loss": 1.0, "val_map": value}) for value in (0.5, 0.5, 0.4)]
    assert stopped == [False, False, True]
    assert (end.state.best_epoch, end.state.best_value, end.state.epochs_done) == (1, 0.5, 3)


def test_the_row_is_on_disk_and_in_the_logs(end, tmp_path):
    end.close({"loss": np.float32(0.25), "val_map": 0.5})
    (row,) = read_history(tmp_path / "history.csv")
    assert (row["epoch"], row["loss"], row["learning_rate"]) == (1, 0.25, 1e-3)
    assert row["seconds"] >= 0
    for part in ("train", "validation"):
        (file,) = (tmp_path / "logs" / part).iterdir()
        assert file.stat().st_size > 100
