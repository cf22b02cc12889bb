"""The tf.data pipelines: images, pairs, triplets and P x K batches, each an endless stream of training steps.

Step s of the stream belongs to epoch s // steps_per_epoch. It depends on the seed, the epoch and the step alone,
so a run that goes on after an interruption sees what it would have seen. Given a `Share`, a stream holds that part of
each batch: the parts together are the batch, whatever their number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tfretrieval.data.augment import augment
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.sampling import ClassSampler, shuffled_rows, step_seed
from tfretrieval.data.share import WHOLE, Share


class Table(Protocol):
    """What a pipeline reads: items and their rows, images of uint8 [s, s, 3] (`ImageTable`) or features."""

    catalog: Catalog

    def __len__(self) -> int: ...

    def gather(self, rows: tf.Tensor) -> tf.Tensor: ...


Step = Callable[[tf.Tensor, tf.Tensor], Any]


def image_batches(table: Table, batch_size: int, rows: np.ndarray | None = None) -> tf.data.Dataset:
    """The images of the catalog, or those at `rows` int [m], in order: uint8 [b, s, s, 3]."""
    wanted = np.arange(len(table)) if rows is None else rows
    return _in_parallel(tf.data.Dataset.from_tensor_slices(wanted).batch(batch_size), table.gather)


def classification_steps(
    table: Table, batch_size: int, seed: int, augmentation: str = "none", first_epoch: int = 0, share: Share = WHOLE
) -> tf.data.Dataset:
    """(images uint8 [b, s, s, 3], labels int32 [b]); an epoch shows every image once, in a fresh order."""
    labels = tf.constant(table.catalog.labels, tf.int32)

    def epoch_steps(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.data.Dataset.from_tensor_slices(shuffled_rows(len(table), seed, epoch))
        return order.batch(batch_size).enumerate().map(lambda place, rows: (epoch, place, rows))

    def step(epoch: tf.Tensor, place: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images = _image_files(table, step_seed(seed, epoch, place), augmentation, share, rows)
        return images[0], tf.gather(labels, share.rows(rows))

    return _in_parallel(tf.data.Dataset.counter(start=first_epoch).flat_map(epoch_steps), step)


def pair_steps(
    table: Table,
    batch_size: int,
    seed: int,
    steps_per_epoch: int,
    augmentation: str = "none",
    first_epoch: int = 0,
    share: Share = WHOLE,
) -> tf.data.Dataset:
    """((anchors, others), same): uint8 [b, s, s, 3] twice and float32 [b], 1 where both show one class."""
    sampler = ClassSampler(table.catalog.labels, table.catalog.class_names)

    def step(epoch: tf.Tensor, place: tf.Tensor) -> Any:
        key = step_seed(seed, epoch, place)
        pairs = sampler.pairs(key, batch_size)
        images = _image_files(table, key, augmentation, share, pairs.anchor, pairs.other)
        return tuple(images), tf.cast(share.rows(pairs.same), tf.float32)

    return _stream(step, steps_per_epoch, first_epoch)


def triplet_steps(
    table: Table,
    batch_size: int,
    seed: int,
    steps_per_epoch: int,
    augmentation: str = "none",
    first_epoch: int = 0,
    share: Share = WHOLE,
) -> tf.data.Dataset:
    """((anchors, positives, negatives), zeros): uint8 [b, s, s, 3] three times and float32 [b].

    The zeros stand where Keras wants a target; the triplet loss does not read them.
    """
    sampler = ClassSampler(table.catalog.labels, table.catalog.class_names)

    def step(epoch: tf.Tensor, place: tf.Tensor) -> Any:
        key = step_seed(seed, epoch, place)
        images = _image_files(table, key, augmentation, share, *sampler.triplets(key, batch_size))
        return tuple(images), share.rows(tf.zeros([batch_size]))

    return _stream(step, steps_per_epoch, first_epoch)


def balanced_steps(
    table: Table,
    n_classes: int,
    n_items: int,
    seed: int,
    steps_per_epoch: int,
    augmentation: str = "none",
    first_epoch: int = 0,
    share: Share = WHOLE,
) -> tf.data.Dataset:
    """P x K batches: (images uint8 [P * K, s, s, 3], labels int32 [P * K]), K distinct images of P classes."""
    sampler = ClassSampler(table.catalog.labels, table.catalog.class_names)
    labels = tf.constant(table.catalog.labels, tf.int32)

    def step(epoch: tf.Tensor, place: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        key = step_seed(seed, epoch, place)
        rows = sampler.balanced(key, n_classes, n_items)
        return _image_files(table, key, augmentation, share, rows)[0], tf.gather(labels, share.rows(rows))

    return _stream(step, steps_per_epoch, first_epoch)


def _image_files(table: Table, key: tf.Tensor, augmentation: str, share: Share, *columns: tf.Tensor) -> list[tf.Tensor]:
    """A share of the images at each column of rows int64 [b], changed as in the whole batch of all columns."""
    rows = tf.concat(columns, 0)
    if share == WHOLE:
        images = augment(table.gather(rows), key, augmentation)
    else:
        n = tf.size(columns[0], tf.int64)
        places = tf.concat([share.places(n) + n * number for number in range(len(columns))], 0)
        images = augment(table.gather(tf.gather(rows, places)), key, augmentation, places, tf.size(rows))
    return tf.split(images, len(columns)) if len(columns) > 1 else [images]


def _stream(step: Step, steps_per_epoch: int, first_epoch: int) -> tf.data.Dataset:
    n = tf.constant(steps_per_epoch, tf.int64)
    steps = tf.data.Dataset.counter(start=first_epoch * steps_per_epoch)
    return _in_parallel(steps, lambda at: step(at // n, at % n))


def _in_parallel(dataset: tf.data.Dataset, function: Callable[..., Any]) -> tf.data.Dataset:
    mapped = dataset.map(function, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return mapped.prefetch(tf.data.AUTOTUNE)
