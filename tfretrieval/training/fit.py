"""`train`: from a catalog and a configuration to a run with a model, and on again after an interruption."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
from collections.abc import Callable, Iterator
from typing import Any

import keras

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.data.pipelines import Table
from tfretrieval.data.sources import absolute_source
from tfretrieval.errors import UserError
from tfretrieval.losses import batches_for
from tfretrieval.memory import PeakMemory
from tfretrieval.models.head import backbone_of, head_of
from tfretrieval.progress import progress
from tfretrieval.runs import Run
from tfretrieval.training.checkpoints import Checkpoints, TrainState, save_model
from tfretrieval.training.cluster import read_cluster
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.end_of_epoch import EpochEnd, patience_is_up
from tfretrieval.training.features import feature_table
from tfretrieval.training.interruption import Interruption
from tfretrieval.training.network import build_network, config_embedder, embedder_of, network_around
from tfretrieval.training.optimizers import begin_epochs_of
from tfretrieval.training.publish import publish, publish_untrained
from tfretrieval.training.replicas import Replicas, open_replicas
from tfretrieval.training.retrieval_metrics import RetrievalMetrics
from tfretrieval.training.run_lock import check_claim, claim
from tfretrieval.training.streams import training_stream, validation_set
from tfretrieval.training.train_step import Learner
from tfretrieval.training.weight_imprinting import imprint_head

log = logging.getLogger(__name__)


def train(
    catalog: Catalog,
    config: TrainConfig,
    run: Run,
    resume: bool = False,
    overwrite: bool = False,
    argv: list[str] | None = None,
    strategy: str = "none",
) -> keras.Model:
    """Train an embedder on the train split of a catalog and leave it in `run`.

    A part of the train split is held out, and the epoch that retrieves it best gives the model. The test split is
    not looked at.

    Args:
        catalog: what to learn from; its split "train", or everything where there is no such split.
        config: the figures of the run.
        run: where the artefacts go.
        resume: go on after the last whole epoch, or from the start where there is none.
        overwrite: forget the run that is there, as soon as the new one can begin.
        argv: the command to be named in the manifest.
        strategy: where the network learns, see `open_replicas`. The batches are the same wherever that is.

    Returns:
        The embedder of the best epoch; from a worker that is not the chief, of the last.

    Raises:
        UserError: images that cannot be decoded, classes too few or small, a run that is already there or
            was made with other figures or from other data, a loss that is no longer a number, no such strategy.
        WorkerLost: another worker went away.
    """
    if batches_for(config.loss) == "images" and config.freeze and config.embedding_dim is None and config.epochs:
        log.warning(
            "the backbone is frozen and there is no --embedding-dim: the classifier learns, but what is retrieved are "
            "the backbone's features as they were"
        )
    if config.xla and strategy != "none":
        raise UserError("--xla compiles for one device; leave it out with --strategy")
    data = {"source": absolute_source(catalog.source), "fingerprint": catalog.fingerprint, "n": len(catalog)}
    if strategy != "multi-worker" or read_cluster().is_chief:
        check_claim(run, data, config, resume, overwrite)
    memory = PeakMemory()
    replicas = open_replicas(strategy)
    keras.utils.set_random_seed(config.seed)
    rest, held = _training_part(catalog).hold_out(config.validation_fraction, config.seed)
    checkpoints = Checkpoints(run.checkpoints)
    with _precision(config.mixed_precision):
        begun = replicas.by_chief(lambda: checkpoints.latest() if resume else None) or None
        frozen = _frozen_embedder(config, checkpoints if begun else None)
        network, state = begun or (_new_network(config, catalog.n_classes, frozen), TrainState())

        def take_the_folder() -> None:
            claim(run, data, config, overwrite, argv, replicas.count)

        if config.epochs == 0:
            replicas.by_chief(lambda: publish_untrained(run, network, take_the_folder))
            if replicas.is_chief:
                run.record_cost("training", parameters=embedder_of(network).count_params())
            return embedder_of(network)
        if replicas.by_chief(lambda: state.epochs_done >= config.epochs or patience_is_up(state, config)):
            log.info("nothing to do: %s is trained to its end", run.directory)
        else:
            gallery = _table(rest, config, frozen)
            queries = _table(held, config, frozen) if len(held) and replicas.is_chief else None

            def begin() -> int:
                if batches_for(config.loss) == "images" and config.head == "cosine" and begun is None:
                    imprint_head(network, gallery, config.seed)
                take_the_folder()
                if frozen is not None and begun is None:
                    save_model(frozen, checkpoints.frozen_path)
                return state.epochs_done

            state.epochs_done = replicas.by_chief(begin)
            _fit(network, state, config, gallery, queries, run, replicas)
            if replicas.is_chief:
                parameters = (frozen or embedder_of(network)).count_params()
                run.record_cost("training", parameters=parameters, peak_memory=memory.bytes())
        return publish(run, checkpoints, state, frozen) if replicas.is_chief else embedder_of(network)


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


def _training_part(catalog: Catalog) -> Catalog:
    part = catalog.split("train") if "train" in catalog.split_names else catalog
    part = part.subset(part.labels >= 0)
    counts = part.counts()
    if (counts > 0).sum() < 2:
        raise UserError(f"{catalog.source} has fewer than two classes to learn from")
    if lone := [name for name, count in zip(part.class_names, counts) if count == 1]:
        raise UserError(f"class {lone[0]!r} has one training image; retrieval needs two or more a class")
    return part


def _table(part: Catalog, config: TrainConfig, frozen: keras.Model | None) -> Table:
    """The images of a part, or their features."""

    def images(part: Catalog) -> ImageTable:
        return ImageTable(part, config.image_size, config.fit, config.on_error, config.cache)

    if frozen is None:
        return images(part)
    return feature_table(backbone_of(frozen), part, config.fit, images)


def _fit(
    network: keras.Model,
    state: TrainState,
    config: TrainConfig,
    gallery: Table,
    queries: Table | None,
    run: Run,
    replicas: Replicas,
) -> None:
    """Train from `state` to the last epoch; what is measured and written after each is the chief's alone."""
    stream, steps = training_stream(gallery, config, state.epochs_done, replicas.shares)
    begin_epochs_of(network, steps)
    learner = Learner(network, stream, replicas, config.xla)
    validation, metrics = None, None
    if queries is not None:
        validation = validation_set(queries, config)
        metrics = RetrievalMetrics(embedder_of(network), queries, gallery, config.metric, config.seed)
    end = EpochEnd(state, config, network, run)

    def close(figures: dict[str, float]) -> bool:
        if validation is not None:
            measured = network.evaluate(validation, verbose=0, return_dict=True)
            figures |= {f"val_{name}": value for name, value in measured.items()}
        if metrics is not None:
            figures |= metrics.after_epoch()
        return end.close(figures)

    def after_each(bar: Any) -> Callable[[], None]:
        def step_is_done() -> None:
            bar.update(1)
            interruption.check()

        return step_is_done

    with Interruption() as interruption, contextlib.ExitStack() as stack:
        epochs = progress(None, "train", total=config.epochs, unit="epoch")
        stack.callback(epochs.close)
        epochs.update(state.epochs_done)
        for epoch in range(state.epochs_done, config.epochs):
            learner.begin_epoch(config.learning_rate_at(epoch))
            with progress(None, f"epoch {epoch + 1}/{config.epochs}", total=steps, unit="step") as bar:
                figures = learner.steps(steps, after_each(bar))
            if not math.isfinite(figures["loss"]):
                raise UserError(
                    f"the loss is {figures['loss']} in epoch {epoch + 1}; "
                    "try a lower --learning-rate, or no --mixed-precision"
                )
            if replicas.by_chief(functools.partial(close, figures)):
                break
            epochs.update(1)


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
