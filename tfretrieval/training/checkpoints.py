"""The state of a training run on disk: whole after every epoch, whatever happens in between.

`epoch-0007/` holds the network with its optimizer after 7 epochs, and the history up to there; it appears by
one rename. `best-0005.keras` is the embedder of the best epoch so far and is written before the state that names it.
Where features of a frozen backbone are trained on, both hold only what lies behind it, and `frozen.keras` is the whole
embedder as it was before.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import keras

from tfretrieval.atomic import read_json, replaced_directory, replaced_file, write_json
from tfretrieval.errors import UserError


@dataclass
class TrainState:
    """How far a run is: epochs done, a row of figures for each, and the best of them."""

    epochs_done: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float | None = None


class Checkpoints:
    """The checkpoints of a run, below its folder `checkpoints/`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def latest(self) -> tuple[keras.Model, TrainState] | None:
        """The network and the state after the last whole epoch; None where there is none.

        Raises:
            UserError: the checkpoint is damaged.
        """
        found = self._states()
        if not found:
            return None
        newest = found[-1]
        try:
            state = TrainState(**read_json(newest / "state.json"))
            network = keras.models.load_model(newest / "network.keras")
        except UserError:
            raise
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(f"{newest} is damaged ({reason[:120]}); delete it to go on from before") from None
        return network, state

    def save(self, network: keras.Model, embedder: keras.Model, state: TrainState) -> None:
        """Write the state after an epoch, and the embedder where the epoch is the best; then clear away.

        Raises:
            UserError: the folder cannot be written.
        """
        if state.best_epoch == state.epochs_done:
            save_model(embedder, self.best_path(state.best_epoch))
        with replaced_directory(self._path(state.epochs_done), "state.json") as temporary:
            network.save(temporary / "network.keras")
            write_json(temporary / "state.json", asdict(state))
        self._clear(state)

    @property
    def frozen_path(self) -> Path:
        return self.directory / "frozen.keras"

    def best_path(self, epoch: int) -> Path:
        return self.directory / f"best-{epoch:04d}.keras"

    def _path(self, epochs_done: int) -> Path:
        return self.directory / f"epoch-{epochs_done:04d}"

    def _states(self) -> list[Path]:
        folders = [path for path in self.directory.glob("epoch-*") if re.fullmatch(r"epoch-\d{4,}", path.name)]
        return sorted(folders, key=lambda path: int(path.name.removeprefix("epoch-")))

    def _clear(self, state: TrainState) -> None:
        keep = {self._path(state.epochs_done), self.best_path(state.best_epoch), self.frozen_path}
        for path in self.directory.iterdir():
            if path in keep:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def save_model(model: keras.Model, path: Path) -> None:
    """Write a `.keras` file, whole or not at all.

    Raises:
        UserError: it cannot be written.
    """
    with replaced_file(path) as temporary:
        model.save(temporary)
