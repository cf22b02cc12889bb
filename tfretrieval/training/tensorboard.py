"""TensorBoard logs of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf


class TensorBoardLog:
    """Writes the metrics of each epoch to `train/` and, for names with `val_`, to `validation/`.

    Args:
        directory: the log directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writers: dict[str, Any] = {}

    def write(self, epoch: int, metrics: dict[str, float]) -> None:
        """Write the metrics of an epoch, counted from 1."""
        for name, value in metrics.items():
            part = "validation" if name.startswith("val_") else "train"
            if part not in self._writers:
                self._writers[part] = tf.summary.create_file_writer(str(self._directory / part))
            with self._writers[part].as_default(step=epoch):
                tf.summary.scalar(f"epoch_{name.removeprefix('val_')}", value)
        for writer in self._writers.values():
            writer.flush()
