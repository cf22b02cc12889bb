"""Checkpoints of a training run, complete after every epoch.

`epoch-0007/` holds the network with its optimizer and the history after 7 epochs; it is written atomically.
`best-0005.keras` is the embedder of the best epoch and is written before the checkpoint that refers to it. If training
uses cached features of a frozen backbone, both hold only the head, and `frozen.keras` is the embedder before training.
"""

import re
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras

from tfretrieval.artifacts import ArtifactType
from tfretrieval.atomic import replaced_file
from tfretrieval.models.head import set_head_weights
from tfretrieval.training.history import best_epoch

CHECKPOINT = ArtifactType("checkpoint", "state.json", 3, "delete it to resume from the one before")


@dataclass
class TrainState:
    """Progress of a training run: number of finished epochs, a row of metrics for each, and the best epoch."""

    epochs_done: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float | None = None

    def add_epoch(self, row: dict[str, float], monitor: str) -> None:
        """Add the metrics of an epoch, with its number as `epoch`, and update the best one, see `best_epoch`."""
        self.history.append(row)
        self.epochs_done += 1
        best = best_epoch(self.history, monitor) or row
        self.best_epoch, self.best_value = int(best["epoch"]), best.get(monitor)

    def is_out_of_patience(self, patience: int) -> bool:
        """Whether the last `patience` epochs brought no improvement; never if 0."""
        return bool(patience) and self.epochs_done - self.best_epoch >= patience


class Checkpoints:
    """The checkpoints in the directory `checkpoints/` of a run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def latest(self) -> tuple[keras.Model, TrainState] | None:
        """The network and the state after the last finished epoch; None without a checkpoint.

        Raises:
            CorruptArtifact: the checkpoint is damaged.
        """
        directories = [path for path in self.directory.glob("epoch-*") if re.fullmatch(r"epoch-\d{4,}", path.name)]
        if not directories:
            return None
        latest = max(directories, key=lambda path: int(path.name.removeprefix("epoch-")))
        with CHECKPOINT.reading(latest):
            state = TrainState(**CHECKPOINT.read_header(latest)["state"])
            return keras.models.load_model(latest / "network.keras"), state

    def save(self, network: keras.Model, embedder: keras.Model, state: TrainState) -> None:
        """Write the checkpoint of an epoch, and the embedder if the epoch is the best; then delete older files.

        Raises:
            UserError: the directory cannot be written.
        """
        if state.best_epoch == state.epochs_done:
            save_model(embedder, self.best_path(state.best_epoch))
        directory = self.directory / f"epoch-{state.epochs_done:04d}"
        with CHECKPOINT.replaced(directory) as temporary:
            network.save(temporary / "network.keras")
            CHECKPOINT.write_header(temporary, {"state": asdict(state)})
        self._delete_except({directory, self.best_path(state.best_epoch), self.frozen_path})

    def publish(self, state: TrainState, path: Path, frozen: keras.Model | None = None) -> keras.Model:
        """Write the embedder of the best epoch to `path`, unless the file is up to date.

        Args:
            state: state of the run.
            path: `.keras` file.
            frozen: embedder before training, if the checkpoints hold only its head; updated in place.

        Returns:
            The embedder.

        Raises:
            UserError: the file cannot be written.
        """
        best = self.best_path(state.best_epoch)
        model = keras.models.load_model(best)
        if frozen is not None:
            set_head_weights(frozen, model)
            model = frozen
        if not path.is_file() or path.stat().st_mtime_ns < best.stat().st_mtime_ns:
            save_model(model, path)
        return model

    @property
    def frozen_path(self) -> Path:
        """File of the embedder before training, if its backbone is frozen."""
        return self.directory / "frozen.keras"

    def best_path(self, epoch: int) -> Path:
        """File of the embedder of the best epoch."""
        return self.directory / f"best-{epoch:04d}.keras"

    def _delete_except(self, kept: set[Path]) -> None:
        for path in set(self.directory.iterdir()) - kept:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def save_model(model: keras.Model, path: Path) -> None:
    """Write a `.keras` file, completely or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    with replaced_file(path) as temporary:
        model.save(temporary)
