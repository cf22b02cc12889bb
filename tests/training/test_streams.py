"""What a training run is fed."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
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
def test_a_resumed_stream_goes_on_where_it_would_have_been(table, loss):
    config = TrainConfig.for_recipe("triplet", loss=loss, batch_size=4, images_per_class=2, steps_per_epoch=3)
    stream, steps = training_stream(table, config)
    resumed, _ = training_stream(table, config, first_epoch=1)
    whole = list(stream.take(2 * steps))[steps:]
    for one, other in zip(whole, resumed.take(steps)):
        for a, b in zip(flat(one), flat(other)):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("loss", LOSSES)
def test_epochs_differ_and_validation_is_fixed(table, loss):
    config = TrainConfig.for_recipe(
        "triplet", loss=loss, batch_size=4, images_per_class=2, steps_per_epoch=2, augment="none"
    )
    stream, steps = training_stream(table, config)
    batches = list(stream.take(2 * steps))
    assert any((a != b).any() for a, b in zip(flat(batches[0]), flat(batches[steps])))
    fixed = validation_set(table, config)
    for one, other in zip(fixed, fixed):
        for a, b in zip(flat(one), flat(other)):
            np.testing.assert_array_equal(a, b)


def test_classification_sees_every_image_once_an_epoch(table):
    config = TrainConfig.for_recipe("triplet", loss="cross-entropy", batch_size=4, augment="none")
    stream, steps = training_stream(table, config)
    seen = np.concatenate([flat(batch)[0] for batch in stream.take(steps)])
    assert len(seen) == len(table)
    everything = table.gather(np.arange(len(table))).numpy()
    assert sorted(p.tobytes() for p in seen) == sorted(p.tobytes() for p in everything)


def test_by_default_an_image_is_shown_about_eight_times(table):
    for loss, shown in (("contrastive", 8), ("triplet", 12), ("triplet-all", 9)):
        config = TrainConfig.for_recipe("triplet", loss=loss, batch_size=4, classes_per_batch=3, images_per_class=3)
        assert training_stream(table, config)[1] == 8 * len(table) // shown


def test_no_validation_pairs_where_a_class_has_one_image(table):
    lone = ImageTable(table.catalog.subset(np.array([0, 6, 7])), 16)
    assert validation_set(lone, TrainConfig.for_recipe("siamese")) is None
    assert validation_set(lone, TrainConfig.for_recipe("siamese", loss="cross-entropy")) is not None
