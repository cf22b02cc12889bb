"""Tests of the streams of a training run."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.data.pipelines import BatchShard
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.streams import training_stream, validation_set


@pytest.fixture(scope="module")
def table(scenes):
    return ImageTable(Catalog.from_source(scenes).split("train"), 16)


def flat(batch) -> list[np.ndarray]:
    import tensorflow as tf

    return [np.asarray(part) for part in tf.nest.flatten(batch)]


LOSSES = ("cross-entropy", "contrastive", "triplet", "triplet-all")


@pytest.mark.parametrize("loss", LOSSES)
def test_resumed_stream_continues_the_same_batches(table, loss):
    config = TrainConfig.for_recipe("triplet", loss=loss, batch_size=4, images_per_class=2, steps_per_epoch=3)
    stream, steps = training_stream(table, config)
    resumed, _ = training_stream(table, config, first_epoch=1)
    expected = list(stream.take(2 * steps))[steps:]
    for batch, actual in zip(expected, resumed.take(steps)):
        for a, b in zip(flat(batch), flat(actual)):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("loss", LOSSES)
def test_training_batches_differ_between_epochs_and_validation_batches_do_not(table, loss):
    config = TrainConfig.for_recipe(
        "triplet", loss=loss, batch_size=4, images_per_class=2, steps_per_epoch=2, augment="none"
    )
    stream, steps = training_stream(table, config)
    batches = list(stream.take(2 * steps))
    assert any((a != b).any() for a, b in zip(flat(batches[0]), flat(batches[steps])))
    validation = validation_set(table, config)
    for first, second in zip(validation, validation):
        for a, b in zip(flat(first), flat(second)):
            np.testing.assert_array_equal(a, b)


def test_elements_are_tuples_with_one_entry_per_shard(table):
    config = TrainConfig.for_recipe("siamese", batch_size=5, steps_per_epoch=2)
    shards = [BatchShard(index, 2) for index in range(2)]
    sharded, _ = training_stream(table, config, shards=shards)
    full, _ = training_stream(table, config)
    first, second = next(iter(sharded))
    (batch,) = next(iter(full))
    for parts, expected in zip(zip(flat(first), flat(second)), flat(batch)):
        np.testing.assert_array_equal(np.concatenate(parts), expected)


def test_steps_show_each_image_about_eight_times_by_default(table):
    for loss, shown in (("contrastive", 8), ("triplet", 12), ("triplet-all", 9)):
        config = TrainConfig.for_recipe("triplet", loss=loss, batch_size=4, classes_per_batch=3, images_per_class=3)
        assert training_stream(table, config)[1] == 8 * len(table) // shown


def test_class_with_one_image_has_no_validation_pairs(table):
    single = ImageTable(table.catalog.subset(np.array([0, 6, 7])), 16)
    assert validation_set(single, TrainConfig.for_recipe("siamese")) is None
    assert validation_set(single, TrainConfig.for_recipe("siamese", loss="cross-entropy")) is not None
