"""The model and the training configuration of a run."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tfretrieval.errors import UserError
from tfretrieval.quiet import load_tensorflow
from tfretrieval.runs import Run

if TYPE_CHECKING:
    import keras

    from tfretrieval.training.config import TrainConfig


def load_model(run: Run) -> keras.Model:
    """The embedder of a run.

    Raises:
        UserError: the run has no model, or the file is not a Keras model of ours.
    """
    return _load(str(run.model_path), run.model_fingerprint())


def run_config(run: Run) -> TrainConfig:
    """The configuration that a run was trained with.

    Raises:
        UserError: `config.yaml` is missing or damaged.
    """
    from tfretrieval.training.config import TrainConfig

    values = run.config()
    try:
        return TrainConfig.from_dict(values)
    except UserError as error:
        raise UserError(f"{run.directory / 'config.yaml'}: {error}", "retrain with --overwrite") from None


@lru_cache(maxsize=1)
def _load(path: str, fingerprint: str) -> keras.Model:
    load_tensorflow()
    from tfretrieval.models.embedder import load_embedder

    return load_embedder(Path(path))
