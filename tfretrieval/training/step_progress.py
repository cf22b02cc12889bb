"""The callback that shows where an epoch is."""

from __future__ import annotations

from typing import Any

import keras

from tfretrieval.progress import progress


class StepProgress(keras.callbacks.Callback):
    """A bar on stderr that moves with every step, on a terminal only."""

    def __init__(self, steps: int, epochs: int) -> None:
        super().__init__()
        self._steps = steps
        self._epochs = epochs
        self._bar: Any = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._bar = progress(None, f"epoch {epoch + 1}/{self._epochs}", total=self._steps, unit="step")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._bar.update(1)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._bar.close()
