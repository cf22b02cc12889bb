"""The callback that closes an epoch: its row of history, its checkpoint, and whether training goes on."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from typing import Any

import keras

from tfretrieval.errors import UserError
from tfretrieval.training.checkpoints import Checkpoints, TrainState, write_history
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.network import embedder_of

log = logging.getLogger(__name__)

_OTHERS = ("learning_rate", "lr")  # what Keras' scheduler logs, under a name that changed between versions


class EpochEnd(keras.callbacks.Callback):
    """Keeps `state`, saves it after every epoch, and stops training when patience is at its end.

    Comes last among the callbacks, so that it sees what the others logged.
    """

    def __init__(self, state: TrainState, config: TrainConfig, checkpoints: Checkpoints, history_path: Path) -> None:
        super().__init__()
        self.state = state
        self._config = config
        self._checkpoints = checkpoints
        self._history_path = history_path
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        figures = {name: float(value) for name, value in (logs or {}).items() if name not in _OTHERS}
        if not math.isfinite(figures.get("loss", 0.0)):
            raise UserError(
                f"the loss is {figures['loss']} in epoch {epoch + 1}; "
                "try a lower --learning-rate, or no --mixed-precision"
            )
        row: dict[str, float] = {
            "epoch": epoch + 1,
            **figures,
            "learning_rate": self._config.learning_rate_at(epoch),
            "seconds": round(time.monotonic() - self._started, 2),
        }
        state = self.state
        state.history.append(row)
        state.epochs_done = epoch + 1
        value = figures.get(self._config.monitor)
        if value is None or state.best_value is None or value > state.best_value:
            state.best_epoch, state.best_value = state.epochs_done, value
        if self._config.patience and state.epochs_done - state.best_epoch >= self._config.patience:
            log.info("no better %s for %d epochs: stopped", self._config.monitor, self._config.patience)
            self.model.stop_training = True
        self._checkpoints.save(self.model, embedder_of(self.model), state)
        write_history(self._history_path, state.history)
        log.info(_line(row, self._config.epochs))


def _line(row: dict[str, float], epochs: int) -> str:
    named = ("loss", "accuracy", "val_loss", "val_map", "val_precision_at_1")
    figures = "  ".join(f"{name} {row[name]:.4f}" for name in named if name in row)
    return f"epoch {int(row['epoch'])}/{epochs}  {figures}  {row['seconds']:.1f} s"
