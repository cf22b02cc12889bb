"""`train`: train an embedder on a catalog and write it to a run."""

import contextlib
import logging
from collections.abc import Iterator

import keras
import tensorflow as tf

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.data.pipelines import Table
from tfretrieval.data.sources import absolute_source
from tfretrieval.errors import UserError
from tfretrieval.losses import loss_spec
from tfretrieval.memory import peak_memory
from tfretrieval.models.head import backbone_of
from tfretrieval.runs import Run
from tfretrieval.training.checkpoints import Checkpoints, TrainState, save_model
from tfretrieval.training.cluster import read_cluster
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.features import feature_table
from tfretrieval.training.history import write_history
from tfretrieval.training.loop import TrainingLoop
from tfretrieval.training.network import build_network, embedder_from_config, embedder_of
from tfretrieval.training.replicas import open_replicas
from tfretrieval.training.run_directory import check_run_directory, prepare_run_directory
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
    """Train an embedder on the train split of a catalog and write it to a run.

    Part of the train split is held out, and the epoch with the best retrieval metric on it is selected. The test split
    is not used.

    Args:
        catalog: training data; its split "train", or the whole catalog.
        config: settings of the run.
        run: run to write to.
        resume: resume after the last finished epoch, or start if there is none.
        overwrite: replace an existing run, as soon as the new one can start.
        argv: command line to record in the manifest.
        strategy: "none", "mirrored" or "multi-worker", see `open_replicas`. The global batch is the same with each.

    Returns:
        The embedder of the best epoch; on a worker other than the chief, of the last.

    Raises:
        UserError: images are unreadable, classes are too few or too small, the run exists or has other settings or
            data, the loss is not finite, or the strategy is unknown.
        WorkerLost: another worker failed.
    """
    spec = loss_spec(config.loss)
    if spec.is_classifier and config.freeze and config.embedding_dim is None and config.epochs:
        log.warning(
            "--freeze without --embedding-dim trains the classification head only: retrieval uses the backbone's "
            "pretrained features"
        )
    if config.xla and strategy != "none":
        raise UserError("--xla compiles for a single device; omit --xla or --strategy")
    data = {"source": absolute_source(catalog.source), "fingerprint": catalog.fingerprint, "n": len(catalog)}
    if strategy != "multi-worker" or read_cluster().is_chief:
        check_run_directory(run, data, config, resume, overwrite)
    replicas = open_replicas(strategy)
    keras.utils.set_random_seed(config.seed)
    training_items, held_out_items = _training_items(catalog).hold_out(config.validation_fraction, config.seed)
    checkpoints = Checkpoints(run.checkpoints)
    with _precision(config.mixed_precision):
        checkpoint = replicas.on_chief(lambda: checkpoints.latest() if resume else None) or None
        frozen = _frozen_embedder(config, checkpoints if checkpoint else None)
        network, state = checkpoint or (build_network(config, catalog.n_classes, frozen), TrainState())

        def is_trained() -> bool:
            is_over = state.epochs_done >= config.epochs or state.is_out_of_patience(config.patience)
            return state.epochs_done > 0 and is_over

        if replicas.on_chief(is_trained):
            log.info("%s is already trained", run.directory)
        else:
            training = held_out = None
            if config.epochs:
                training = _table(training_items, config, frozen)
            if config.epochs and len(held_out_items) and replicas.is_chief:
                held_out = _table(held_out_items, config, frozen)

            def initialize() -> int:
                if training is not None and spec.is_classifier and config.head == "cosine" and checkpoint is None:
                    imprint_head(network, training, config.seed)
                prepare_run_directory(run, data, config, overwrite, argv, replicas.count)
                if frozen is not None and checkpoint is None:
                    save_model(frozen, checkpoints.frozen_path)
                return state.epochs_done

            state.epochs_done = replicas.on_chief(initialize)
            if training is not None:
                TrainingLoop(network, state, config, run, replicas).fit(training, held_out)
            if replicas.is_chief:
                parameters = (frozen or embedder_of(network)).count_params()
                run.record_training(parameters=parameters, peak_memory=peak_memory())
        if not replicas.is_chief:
            return embedder_of(network)
        write_history(run.history_path, state.history)
        if state.epochs_done == 0:
            save_model(embedder_of(network), run.model_path)
            return embedder_of(network)
        return checkpoints.publish(state, run.model_path, frozen)


def _frozen_embedder(config: TrainConfig, checkpoints: Checkpoints | None) -> keras.Model | None:
    """The embedder, if its backbone is frozen and its features can be cached; None otherwise."""
    if not config.freeze or config.epochs == 0:
        return None
    if config.augment != "none":
        log.info(
            "the features of the frozen backbone are recomputed every epoch with --augment %s; "
            "--augment none computes them once",
            config.augment,
        )
        return None
    return keras.models.load_model(checkpoints.frozen_path) if checkpoints else embedder_from_config(config)


def _training_items(catalog: Catalog) -> Catalog:
    """The labeled items of the train split.

    Raises:
        UserError: there are fewer than two classes, or a class has one image.
    """
    items = catalog.split("train") if "train" in catalog.split_names else catalog
    items = items.subset(items.labels >= 0)
    counts = items.counts()
    if (counts > 0).sum() < 2:
        raise UserError(f"{catalog.source} has fewer than two classes to train on")
    if single := [name for name, count in zip(items.class_names, counts) if count == 1]:
        raise UserError(f"class {single[0]!r} has one training image; retrieval needs two or more per class")
    return items


def _table(items: Catalog, config: TrainConfig, frozen: keras.Model | None) -> Table:
    """The images of the items, or their features under a frozen backbone."""

    def image_table(items: Catalog) -> ImageTable:
        return ImageTable(items, config.image_size, config.resize_mode, config.on_error, config.cache)

    if frozen is None:
        return image_table(items)
    return feature_table(backbone_of(frozen), items, config.resize_mode, image_table)


@contextlib.contextmanager
def _precision(mixed: bool) -> Iterator[None]:
    """Compute in half precision inside the block, if `mixed`."""
    previous = keras.mixed_precision.global_policy()
    if mixed:
        has_gpu = bool(tf.config.list_physical_devices("GPU"))
        keras.mixed_precision.set_global_policy("mixed_float16" if has_gpu else "mixed_bfloat16")
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(previous)
