"""The row of history that closes an epoch."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.training.checkpoints import Checkpoints, TrainState, read_history
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.epoch_end import EpochEnd
from tfretrieval.training.network import build_network


@pytest.fixture
def callback(tmp_path):
    config = TrainConfig.for_recipe("triplet", image_size=16, epochs=3, patience=2)
    callback = EpochEnd(TrainState(), config, Checkpoints(tmp_path / "c"), tmp_path / "history.csv")
    callback.set_model(build_network(config, 3))
    return callback


def test_the_best_value_wins_and_a_tie_keeps_the_first(callback):
    for epoch, value in enumerate([0.5, 0.5, 0.4]):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"loss": 1.0, "val_map": value, "lr": 7.0})
    state = callback.state
    assert (state.best_epoch, state.best_value, state.epochs_done) == (1, 0.5, 3)
    assert callback.model.stop_training


def test_the_row_is_on_disk(callback, tmp_path):
    callback.on_epoch_begin(0)
    callback.on_epoch_end(0, {"loss": np.float32(0.25), "val_map": 0.5})
    (row,) = read_history(tmp_path / "history.csv")
    assert (row["epoch"], row["loss"], row["learning_rate"]) == (1, 0.25, 1e-3)
    assert row["seconds"] >= 0


def test_a_loss_that_is_no_number_is_never_saved(callback, tmp_path):
    callback.on_epoch_begin(0)
    with pytest.raises(UserError, match="the loss is nan in epoch 1"):
        callback.on_epoch_end(0, {"loss": float("nan")})
    assert not (tmp_path / "c").exists()
