"""The batches of a training run: an endless stream to learn from, a fixed set to validate on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from tfretrieval.data.pipelines import Table, balanced_steps, classification_steps, pair_steps, triplet_steps
from tfretrieval.data.share import WHOLE, Share
from tfretrieval.losses import batches_for
from tfretrieval.training.config import TrainConfig

VIEWS = 8  # how often an epoch shows an image on average, where it draws pairs, triplets or P x K


def training_stream(
    table: Table, config: TrainConfig, first_epoch: int = 0, shares: Sequence[Share] = (WHOLE,)
) -> tuple[tf.data.Dataset, int]:
    """The stream from `first_epoch` on, and its steps an epoch. An element is a tuple of shares of one batch.

    Raises:
        UserError: the classes are too few or too small for the loss.
    """
    kind = batches_for(config.loss)
    if kind == "images":
        steps = -(-len(table) // config.batch_size)
    else:
        steps = config.steps_per_epoch or max(1, VIEWS * len(table) // _shown_a_step(kind, config))

    def stream(share: Share) -> tf.data.Dataset:
        if kind == "images":
            return classification_steps(table, config.batch_size, config.seed, config.augment, first_epoch, share)
        return _sampled(table, config, kind, config.seed, steps, config.augment, first_epoch, share)

    return tf.data.Dataset.zip(tuple(stream(share) for share in shares)), steps


def validation_set(table: Table, config: TrainConfig) -> tf.data.Dataset | None:
    """Fixed batches of the held-out part, the same every epoch; None where it cannot form any."""
    kind = batches_for(config.loss)
    if len(table) == 0:
        return None
    if kind == "images":
        labels = tf.constant(table.catalog.labels, tf.int32)
        rows = tf.data.Dataset.range(len(table)).batch(config.batch_size)
        return rows.map(lambda batch: (table.gather(batch), tf.gather(labels, batch)))
    counts = table.catalog.counts()
    if (counts >= 2).sum() < 2 or (counts == 1).any():
        return None
    steps = max(1, -(-len(table) // _shown_a_step(kind, config)))
    return _sampled(table, config, kind, _other_seed(config.seed), steps, "none", 0).take(steps)


def _sampled(
    table: Table,
    config: TrainConfig,
    kind: str,
    seed: int,
    steps: int,
    augmentation: str,
    first_epoch: int,
    share: Share = WHOLE,
) -> tf.data.Dataset:
    if kind == "pairs":
        return pair_steps(table, config.batch_size, seed, steps, augmentation, first_epoch, share)
    if kind == "triplets":
        return triplet_steps(table, config.batch_size, seed, steps, augmentation, first_epoch, share)
    classes, items = config.classes_per_batch, config.images_per_class
    return balanced_steps(table, classes, items, seed, steps, augmentation, first_epoch, share)


def _shown_a_step(kind: str, config: TrainConfig) -> int:
    """Images a step."""
    if kind == "balanced":
        return config.classes_per_batch * config.images_per_class
    return config.batch_size * {"pairs": 2, "triplets": 3}[kind]


def _other_seed(seed: int) -> int:
    return int(np.random.SeedSequence([seed, 1]).generate_state(1)[0])
