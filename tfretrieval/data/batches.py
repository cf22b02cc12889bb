"""The types of training batches: images, pairs, triplets and P x K.

Each type draws an endless stream of steps. Step s belongs to epoch s // steps_per_epoch and depends on the seed, the
epoch and the step alone, so that a resumed run sees the batches that an uninterrupted one would have seen.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfretrieval.data.pipelines import WHOLE_BATCH, BatchShard, Table, augmented_images, parallel_map
from tfretrieval.data.sampling import ClassSampler, shuffled_rows, step_key

VIEWS_PER_EPOCH = 8  # average number of times that an epoch of drawn batches shows an image


@dataclass(frozen=True)
class BatchType(ABC):
    """One type of training batch; each type reads the sizes that apply to it.

    Attributes:
        batch_size: b, number of images, pairs or triplets.
        classes_per_batch: P of P x K batches.
        images_per_class: K of P x K batches.
        seed: random seed.
        augmentation: "none", "flip" or "standard", see `augment`.
    """

    batch_size: int = 64
    classes_per_batch: int = 8
    images_per_class: int = 12
    seed: int = 0
    augmentation: str = "none"

    @abstractmethod
    def steps_per_epoch(self, n: int, requested: int | None = None) -> int:
        """Number of steps in an epoch over n images."""

    @abstractmethod
    def stream(self, table: Table, steps: int, epoch: int = 0, shard: BatchShard = WHOLE_BATCH) -> tf.data.Dataset:
        """An endless stream of (inputs, targets).

        Args:
            table: images or features.
            steps: number of steps in an epoch.
            epoch: the epoch at which the stream starts.
            shard: part of each batch that the stream yields.

        Raises:
            UserError: the table has too few classes, or a class too few images.
        """

    @abstractmethod
    def validation_batches(self, table: Table) -> tf.data.Dataset | None:
        """A finite set of batches, the same every epoch; None if the table cannot form any."""


class ImageBatches(BatchType):
    """(images uint8 [b, s, s, 3], labels int32 [b]); an epoch shows every image once, in a new random order."""

    def steps_per_epoch(self, n: int, requested: int | None = None) -> int:
        return -(-n // self.batch_size)

    def stream(self, table: Table, steps: int, epoch: int = 0, shard: BatchShard = WHOLE_BATCH) -> tf.data.Dataset:
        labels = tf.constant(table.catalog.labels, tf.int32)

        def epoch_steps(epoch: tf.Tensor) -> tf.data.Dataset:
            order = tf.data.Dataset.from_tensor_slices(shuffled_rows(len(table), self.seed, epoch))
            return order.batch(self.batch_size).enumerate().map(lambda step, rows: (epoch, step, rows))

        def load(epoch: tf.Tensor, step: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            key = step_key(self.seed, epoch, step)
            (images,) = augmented_images(table, (rows,), key, self.augmentation, shard)
            return images, tf.gather(labels, shard.rows(rows))

        return parallel_map(tf.data.Dataset.counter(start=epoch).flat_map(epoch_steps), load)

    def validation_batches(self, table: Table) -> tf.data.Dataset | None:
        if not len(table):
            return None
        labels = tf.constant(table.catalog.labels, tf.int32)
        rows = tf.data.Dataset.range(len(table)).batch(self.batch_size)
        return rows.map(lambda batch: (table.gather(batch), tf.gather(labels, batch)))


class DrawnBatches(BatchType):
    """Batches whose rows are drawn by class at every step."""

    images_per_row: ClassVar[int] = 1  # of a batch

    @property
    def images_per_step(self) -> int:
        """Number of images that a step shows."""
        return self.images_per_row * self.batch_size

    @abstractmethod
    def draw(self, sampler: ClassSampler, key: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], tf.Tensor]:
        """Columns of rows, each int64 [b], and the targets [b]."""

    def steps_per_epoch(self, n: int, requested: int | None = None) -> int:
        return requested or max(1, VIEWS_PER_EPOCH * n // self.images_per_step)

    def stream(self, table: Table, steps: int, epoch: int = 0, shard: BatchShard = WHOLE_BATCH) -> tf.data.Dataset:
        sampler = ClassSampler(table.catalog.labels, table.catalog.class_names)
        n = tf.constant(steps, tf.int64)

        def load(step: tf.Tensor) -> tuple[Any, tf.Tensor]:
            key = step_key(self.seed, step // n, step % n)
            columns, targets = self.draw(sampler, key)
            images = augmented_images(table, columns, key, self.augmentation, shard)
            return tuple(images) if len(images) > 1 else images[0], shard.rows(targets)

        return parallel_map(tf.data.Dataset.counter(start=epoch * steps), load)

    def validation_batches(self, table: Table) -> tf.data.Dataset | None:
        counts = table.catalog.counts()
        if (counts >= 2).sum() < 2 or (counts == 1).any():
            return None
        steps = max(1, -(-len(table) // self.images_per_step))
        seed = int(np.random.SeedSequence([self.seed, 1]).generate_state(1)[0])
        return replace(self, seed=seed, augmentation="none").stream(table, steps).take(steps)


class PairBatches(DrawnBatches):
    """((anchors, others), same): images uint8 [b, s, s, 3] twice and float32 [b], 1 where both share a class."""

    images_per_row = 2

    def draw(self, sampler: ClassSampler, key: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], tf.Tensor]:
        anchor, other, same = sampler.pairs(key, self.batch_size)
        return (anchor, other), tf.cast(same, tf.float32)


class TripletBatches(DrawnBatches):
    """((anchors, positives, negatives), zeros): images uint8 [b, s, s, 3] three times and float32 [b].

    Keras expects a target, so there are zeros; the triplet loss ignores them.
    """

    images_per_row = 3

    def draw(self, sampler: ClassSampler, key: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], tf.Tensor]:
        return sampler.triplets(key, self.batch_size), tf.zeros([self.batch_size])


class BalancedBatches(DrawnBatches):
    """P x K batches: (images uint8 [P * K, s, s, 3], labels int32 [P * K]), K distinct images of P classes."""

    @property
    def images_per_step(self) -> int:
        return self.classes_per_batch * self.images_per_class

    def draw(self, sampler: ClassSampler, key: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], tf.Tensor]:
        rows = sampler.balanced(key, self.classes_per_batch, self.images_per_class)
        return (rows,), tf.gather(sampler.labels, rows)
