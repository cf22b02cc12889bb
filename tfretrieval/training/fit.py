"""`train`: from a catalogue and a configuration to a run with a model, and on again after an interruption."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfretrieval.atomic import clear_leftovers, replaced_file
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.data.pipelines import Table
from tfretrieval.errors import UserError
from tfretrieval.losses import batches_for
from tfretrieval.models.head import backbone_of, head_of, put_head
from tfretrieval.runs import Run
from tfretrieval.training.checkpoints import Checkpoints, TrainState, save_model, write_history
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.epoch_end import EpochEnd
from tfretrieval.training.features import feature_table
from tfretrieval.training.imprint import imprint_head
from tfretrieval.training.interruption import Interruption
from tfretrieval.training.network import build_network, config_embedder, embedder_of, network_around
from tfretrieval.training.optimizers import begin_epochs_of
from tfretrieval.training.retrieval_metrics import RetrievalMetrics
from tfretrieval.training.step_progress import StepProgress
from tfretrieval.training.streams import training_stream, validation_set

log = logging.getLogger(__name__)

MAY_CHANGE = ("epochs", "patience")  # of a run that is gone on with


def train(
    catalog: Catalog,
    config: TrainConfig,
    run: Run,
    resume: bool = False,
    overwrite: bool = False,
    argv: list[str] | None = None,
) -> keras.Model:
    """Train an embedder on the train split of a catalogue and leave it in `run`.

    A part of the train split is held out, and the epoch that retrieves it best gives the model. The test split is
    not looked at.

    Args:
        catalog: what to learn from; its split "train", or everything where there is no such split.
        config: the figures of the run.
        run: where the artefacts go.
        resume: go on after the last whole epoch, or from the start where there is none.
        overwrite: forget the run that is there, as soon as the new one can begin.
        argv: the command to be named in the manifest.

    Returns:
        The embedder of the best epoch.

    Raises:
        UserError: pictures that cannot be decoded, classes too few or small, a run that is already there or
            was made with other figures or from other data, a loss that is no longer a number.
    """
    keras.utils.set_random_seed(config.seed)
    data = {"source": catalog.source, "fingerprint": catalog.fingerprint, "n": len(catalog)}
    _check_claim(run, data, config, resume, overwrite)
    rest, held = _training_part(catalog).hold_out(config.validation_fraction, config.seed)
    checkpoints = Checkpoints(run.checkpoints)
    with _precision(config.mixed_precision):
        begun = checkpoints.latest() if resume else None
        frozen = _frozen_embedder(config, checkpoints if begun else None)
        network, state = begun or (_new_network(config, catalog.n_classes, frozen), TrainState())
        if config.epochs == 0:
            _claim(run, data, config, overwrite, argv)
            write_history(run.history_path, [])
            save_model(embedder_of(network), run.model_path)
            return embedder_of(network)
        if state.epochs_done < config.epochs and not _patience_is_up(state, config):
            gallery = _table(rest, config, frozen)
            queries = _table(held, config, frozen) if len(held) else None
            if batches_for(config.loss) == "images" and config.head == "cosine" and begun is None:
                imprint_head(network, gallery, config.seed)
            _claim(run, data, config, overwrite, argv)
            if frozen is not None and begun is None:
                save_model(frozen, checkpoints.frozen_path)
            _fit(network, state, config, gallery, queries, checkpoints, run)
        else:
            log.info("nothing to do: %s is trained to its end", run.directory)
        return _publish(run, checkpoints, state, frozen)


def _frozen_embedder(config: TrainConfig, begun: Checkpoints | None) -> keras.Model | None:
    """The whole embedder, where only what lies behind its backbone learns, from features that are computed once."""
    if not config.freeze or config.epochs == 0:
        return None
    if config.augment != "none":
        log.info(
            "the backbone is frozen, but its features change every epoch with --augment %s; "
            "--augment none computes them once",
            config.augment,
        )
        return None
    return keras.models.load_model(begun.frozen_path) if begun else config_embedder(config)


def _new_network(config: TrainConfig, n_classes: int, frozen: keras.Model | None) -> keras.Model:
    if frozen is None:
        return build_network(config, n_classes)
    return network_around(head_of(frozen), config, n_classes)


def _check_claim(run: Run, data: dict[str, Any], config: TrainConfig, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that is not free and holds no run that may be gone on with or forgotten."""
    if not (run.directory / "run.json").is_file():
        if run.directory.exists() and (not run.directory.is_dir() or not _is_free(run.directory)):
            raise UserError(f"{run.directory} exists, is not empty and is not a run; give another --run")
    elif resume:
        for name, begun_with in run.config().items():
            value = config.to_dict().get(name)
            if name not in MAY_CHANGE and value != begun_with:
                raise UserError(
                    f"{run.directory} was begun with {name} {begun_with}, not {value}; "
                    "give it as it was, or begin anew in another folder or with --overwrite"
                )
        if run.manifest()["data"]["fingerprint"] != data["fingerprint"]:
            raise UserError(f"the data of {run.directory} have changed since it began; train anew with --overwrite")
    elif not overwrite:
        raise UserError(f"{run.directory} holds a run already; give --resume, --overwrite or another --run")


def _claim(run: Run, data: dict[str, Any], config: TrainConfig, overwrite: bool, argv: list[str] | None) -> None:
    """Make the run's folder this run's."""
    if overwrite and (run.directory / "run.json").is_file():
        shutil.rmtree(run.directory)
    clear_leftovers(run.directory)
    run.write_manifest(config.to_dict(), data, argv)


def _is_free(directory: Path) -> bool:
    """Whether a folder holds nothing but what a run leaves that was killed as it began."""
    return all(path.name == "config.yaml" or path.name.startswith(".tmp") for path in directory.iterdir())


def _training_part(catalog: Catalog) -> Catalog:
    part = catalog.split("train") if "train" in catalog.split_names else catalog
    part = part.subset(part.labels >= 0)
    counts = part.counts()
    if (counts > 0).sum() < 2:
        raise UserError(f"{catalog.source} has fewer than two classes to learn from")
    if lone := [name for name, count in zip(part.class_names, counts) if count == 1]:
        raise UserError(f"class {lone[0]!r} has one training picture; retrieval needs two or more a class")
    return part


def _table(part: Catalog, config: TrainConfig, frozen: keras.Model | None) -> Table:
    """The pictures of a part, or their features."""

    def pictures(part: Catalog) -> ImageTable:
        return ImageTable(part, config.image_size, config.fit, config.on_error, config.cache)

    if frozen is None:
        return pictures(part)
    return feature_table(backbone_of(frozen), part, config.fit, pictures)


def _fit(
    network: keras.Model,
    state: TrainState,
    config: TrainConfig,
    gallery: Table,
    queries: Table | None,
    checkpoints: Checkpoints,
    run: Run,
) -> None:
    stream, steps = training_stream(gallery, config, first_epoch=state.epochs_done)
    begin_epochs_of(network, steps)
    callbacks: list[keras.callbacks.Callback] = [
        keras.callbacks.LearningRateScheduler(lambda epoch, _: config.learning_rate_at(epoch))
    ]
    if queries is not None:
        metrics = RetrievalMetrics(embedder_of(network), queries, gallery, config.metric, config.seed)
        callbacks.append(metrics)
    callbacks += [
        keras.callbacks.TensorBoard(run.logs, profile_batch=0),
        StepProgress(steps, config.epochs),
        EpochEnd(state, config, checkpoints, run.history_path),
    ]
    with Interruption() as interruption:
        network.fit(
            stream,
            steps_per_epoch=steps,
            epochs=config.epochs,
            initial_epoch=state.epochs_done,
            validation_data=validation_set(queries, config) if queries is not None else None,
            callbacks=[*callbacks, interruption],
            shuffle=False,
            verbose=0,
        )


def _publish(run: Run, checkpoints: Checkpoints, state: TrainState, frozen: keras.Model | None) -> keras.Model:
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


def _same_weights(one: keras.Model, other: keras.Model) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights()))


def _patience_is_up(state: TrainState, config: TrainConfig) -> bool:
    return bool(config.patience) and state.epochs_done - state.best_epoch >= config.patience


@contextlib.contextmanager
def _precision(mixed: bool) -> Iterator[None]:
    """Compute in half precision inside the block, if asked to."""
    if not mixed:
        yield
        return
    import tensorflow as tf

    policy = "mixed_float16" if tf.config.list_physical_devices("GPU") else "mixed_bfloat16"
    keras.mixed_precision.set_global_policy(policy)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy("float32")
