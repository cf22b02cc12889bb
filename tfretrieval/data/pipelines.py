"""tf.data pipelines over a table of images or features, and the shard of each batch that one replica computes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfretrieval.data.augment import augment
from tfretrieval.data.catalog import Catalog


class Table(Protocol):
    """Items and their rows: images uint8 [n, s, s, 3] (`ImageTable`) or features float32 [n, f]."""

    catalog: Catalog

    def __len__(self) -> int: ...

    def gather(self, rows: tf.Tensor) -> tf.Tensor: ...


@dataclass(frozen=True)
class BatchShard:
    """Shard `index` of `count` contiguous shards of a batch, whose sizes differ by one row at most.

    >>> [BatchShard(index, 3).positions(4).numpy().tolist() for index in range(3)]
    [[0, 1], [2], [3]]
    """

    index: int = 0
    count: int = 1

    def positions(self, n: int | tf.Tensor) -> tf.Tensor:
        """Positions of the shard in a batch of n rows: int64 [m]."""
        n = tf.cast(n, tf.int64)
        start, stop = ((n * index + self.count - 1) // self.count for index in (self.index, self.index + 1))
        return tf.range(start, stop)

    def rows(self, batch: tf.Tensor) -> tf.Tensor:
        """The rows of a tensor [b, ...] that belong to the shard."""
        return batch if self.count == 1 else tf.gather(batch, self.positions(tf.shape(batch)[0]))


WHOLE_BATCH = BatchShard()


def image_batches(table: Table, batch_size: int, rows: np.ndarray | None = None) -> tf.data.Dataset:
    """Batches of the images uint8 [b, s, s, 3] at `rows` int [m], by default of the whole table, in order."""
    wanted = np.arange(len(table)) if rows is None else rows
    return parallel_map(tf.data.Dataset.from_tensor_slices(wanted).batch(batch_size), table.gather)


def augmented_images(
    table: Table, columns: tuple[tf.Tensor, ...], key: tf.Tensor, augmentation: str, shard: BatchShard
) -> list[tf.Tensor]:
    """A shard of the images at each column of rows int64 [b], augmented as they would be in the whole batch.

    Args:
        table: the images.
        columns: c tensors of rows, for instance anchors, positives and negatives.
        key: random key of the batch, int64 [2].
        augmentation: see `augment`.
        shard: the part of each column to load.

    Returns:
        c tensors of images uint8 [m, s, s, 3].
    """
    rows = tf.concat(columns, 0)
    if shard == WHOLE_BATCH:
        images = augment(table.gather(rows), key, augmentation)
    else:
        b = tf.size(columns[0], tf.int64)
        positions = tf.concat([shard.positions(b) + b * column for column in range(len(columns))], 0)
        images = augment(table.gather(tf.gather(rows, positions)), key, augmentation, positions, tf.size(rows))
    return tf.split(images, len(columns)) if len(columns) > 1 else [images]


def parallel_map(dataset: tf.data.Dataset, function: Callable[..., Any]) -> tf.data.Dataset:
    """Map a function over a dataset on all cores, in order, with prefetching."""
    mapped = dataset.map(function, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return mapped.prefetch(tf.data.AUTOTUNE)
