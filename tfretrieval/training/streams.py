"""The tf.data streams of a training run: training and validation batches."""

from collections.abc import Sequence

import tensorflow as tf

from tfretrieval.data.batches import BatchType
from tfretrieval.data.pipelines import WHOLE_BATCH, BatchShard, Table
from tfretrieval.losses import loss_spec
from tfretrieval.training.config import TrainConfig


def training_stream(
    table: Table, config: TrainConfig, first_epoch: int = 0, shards: Sequence[BatchShard] = (WHOLE_BATCH,)
) -> tuple[tf.data.Dataset, int]:
    """An endless stream of training batches, and the number of steps in an epoch.

    Args:
        table: training images or features.
        config: settings of the run.
        first_epoch: epoch at which the stream starts.
        shards: shards of each batch to load; an element of the stream is a tuple with one entry per shard.

    Raises:
        UserError: the table has too few classes for the loss, or a class too few images.
    """
    batches = _batch_type(config)
    steps = batches.steps_per_epoch(len(table), config.steps_per_epoch)
    streams = tuple(batches.stream(table, steps, first_epoch, shard) for shard in shards)
    return tf.data.Dataset.zip(streams), steps


def validation_set(table: Table, config: TrainConfig) -> tf.data.Dataset | None:
    """Validation batches, the same every epoch; None if the held-out part cannot form any."""
    return _batch_type(config).validation_batches(table)


def _batch_type(config: TrainConfig) -> BatchType:
    batches = loss_spec(config.loss).batches
    return batches(config.batch_size, config.classes_per_batch, config.images_per_class, config.seed, config.augment)
