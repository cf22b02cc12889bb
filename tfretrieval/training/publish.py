"""From checkpoints to the model of a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import keras
import numpy as np

from tfretrieval.atomic import replaced_file
from tfretrieval.models.head import put_head
from tfretrieval.runs import Run
from tfretrieval.training.checkpoints import Checkpoints, TrainState, save_model
from tfretrieval.training.history import write_history
from tfretrieval.training.network import embedder_of


def publish(run: Run, checkpoints: Checkpoints, state: TrainState, frozen: keras.Model | None) -> keras.Model:
    """Make the best epoch's embedder the run's model."""
    write_history(run.history_path, state.history)
    best = checkpoints.best_path(state.best_epoch)
    model = keras.models.load_model(best)
    if frozen is not None:
        put_head(frozen, model)
        if not run.model_path.is_file() or not _same_weights(keras.models.load_model(run.model_path), frozen):
            save_model(frozen, run.model_path)
        return frozen
    if not run.model_path.is_file() or run.model_path.read_bytes() != best.read_bytes():
        with replaced_file(run.model_path) as temporary:
            shutil.copyfile(best, temporary)
    return model


def publish_untrained(run: Run, network: keras.Model, take_the_folder: Callable[[], None]) -> None:
    """Make a network that does not learn the run's model, once the folder is taken."""
    take_the_folder()
    write_history(run.history_path, [])
    save_model(embedder_of(network), run.model_path)


def _same_weights(one: keras.Model, other: keras.Model) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights()))
