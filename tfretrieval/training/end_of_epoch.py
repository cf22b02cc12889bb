"""What closes an epoch: its row of history, its checkpoint, its logs, and whether training goes on."""

from __future__ import annotations

import logging
import time
from typing import Any

import keras
import tensorflow as tf

from tfretrieval.runs import Run
from tfretrieval.training.checkpoints import Checkpoints, TrainState
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.history import write_history
from tfretrieval.training.network import embedder_of

log = logging.getLogger(__name__)


class EpochEnd:
    """Keeps `state` and writes it after every epoch.

    Args:
        state: how far the run is; changed in place.
        config: of the run.
        network: what learns.
        run: where it is written; TensorBoard's files are in `logs/train` and `logs/validation`.
    """

    def __init__(self, state: TrainState, config: TrainConfig, network: keras.Model, run: Run) -> None:
        self.state = state
        self._config = config
        self._network = network
        self._run = run
        self._checkpoints = Checkpoints(run.checkpoints)
        self._began = time.monotonic()
        self._writers: dict[str, Any] = {}

    def close(self, figures: dict[str, float]) -> bool:
        """Close the epoch that has these figures; whether patience is at its end.

        Raises:
            UserError: the folder cannot be written.
        """
        state, epoch = self.state, self.state.epochs_done
        row: dict[str, float] = {
            "epoch": epoch + 1,
            **{name: float(value) for name, value in figures.items()},
            "learning_rate": self._config.learning_rate_at(epoch),
            "seconds": round(time.monotonic() - self._began, 2),
        }
        self._began = time.monotonic()
        state.history.append(row)
        state.epochs_done = epoch + 1
        value = row.get(self._config.monitor)
        if value is None or state.best_value is None or value > state.best_value:
            state.best_epoch, state.best_value = state.epochs_done, value
        self._checkpoints.save(self._network, embedder_of(self._network), state)
        write_history(self._run.history_path, state.history)
        self._write_logs(row)
        log.info(_line(row, self._config.epochs))
        if patience_is_up(state, self._config):
            log.info("no better %s for %d epochs: stopped", self._config.monitor, self._config.patience)
            return True
        return False

    def _write_logs(self, row: dict[str, float]) -> None:
        for name, value in row.items():
            part = "validation" if name.startswith("val_") else "train"
            if part not in self._writers:
                self._writers[part] = tf.summary.create_file_writer(str(self._run.logs / part))
            with self._writers[part].as_default(step=int(row["epoch"])):
                tf.summary.scalar(f"epoch_{name.removeprefix('val_')}", value)
        for writer in self._writers.values():
            writer.flush()


def patience_is_up(state: TrainState, config: TrainConfig) -> bool:
    """Whether there has been no better epoch for as long as a run waits for one."""
    return bool(config.patience) and state.epochs_done - state.best_epoch >= config.patience


def _line(row: dict[str, float], epochs: int) -> str:
    named = ("loss", "accuracy", "val_loss", "val_map", "val_precision_at_1")
    figures = "  ".join(f"{name} {row[name]:.4f}" for name in named if name in row)
    return f"epoch {int(row['epoch'])}/{epochs}  {figures}  {row['seconds']:.1f} s"
