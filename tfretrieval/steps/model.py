"""The model and the data of a run."""

from __future__ import annotations

import zipfile
from functools import lru_cache
from typing import TYPE_CHECKING

from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError
from tfretrieval.quiet import load_tensorflow
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig

if TYPE_CHECKING:
    import keras


def load_model(run: Run) -> keras.Model:
    """The embedder of a run.

    Raises:
        UserError: the run has no model, or the file is not a Keras model of ours.
    """
    return _load(str(run.model_path), run.model_fingerprint())


def run_config(run: Run) -> TrainConfig:
    """The figures that a run was trained with.

    Raises:
        UserError: `config.yaml` is missing or damaged.
    """
    try:
        return TrainConfig.from_dict(run.config())
    except UserError as error:
        raise UserError(f"{run.directory / 'config.yaml'}: {error}") from None


def run_catalog(run: Run, source: str | None = None) -> Catalog:
    """The catalogue named by `source`, or the one that the run was trained on.

    Raises:
        UserError: it cannot be read.
    """
    return Catalog.from_source(source or run.manifest()["data"]["source"])


@lru_cache(maxsize=1)
def _load(path: str, fingerprint: str) -> keras.Model:
    load_tensorflow()
    import keras

    import tfretrieval.models.layers  # registers the layers

    assert tfretrieval.models.layers.PACKAGE
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is damaged: it is not a whole .keras file; train again with --overwrite")
    try:
        model = keras.models.load_model(path, compile=False)
        shape = model.input_shape
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise UserError(f"{path} is not a model that can be loaded ({reason}); train again with --overwrite") from None
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] != 3 or len(model.output_shape) != 2:
        raise UserError(f"{path} is not an embedder: it must take images [b, s, s, 3] and give vectors [b, d]")
    return model
