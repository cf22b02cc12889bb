"""Tests of the batch types."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.data.batches import (
    BalancedBatches,
    ImageBatches,
    PairBatches,
    TripletBatches,
)
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.data.pipelines import WHOLE_BATCH, BatchShard

SIZES = {"batch_size": 7, "classes_per_batch": 3, "images_per_class": 4}
BATCH_TYPES = (ImageBatches, PairBatches, TripletBatches, BalancedBatches)


@pytest.fixture(scope="module")
def table(scenes):
    return ImageTable(Catalog.from_source(scenes), 24)


@pytest.fixture(scope="module")
def label_of(table):
    """A function from images to labels, by their pixels, which are all different."""
    images = table.gather(tf.range(len(table))).numpy()
    labels = {image.tobytes(): label for image, label in zip(images, table.catalog.labels.tolist())}
    assert len(labels) == len(table)
    return lambda images: np.array([labels[image.tobytes()] for image in np.asarray(images)])


def test_targets_of_pairs_are_1_where_both_images_share_a_class(table, label_of):
    for (anchors, others), same in PairBatches(**SIZES).stream(table, 5).take(20):
        np.testing.assert_array_equal(label_of(anchors) == label_of(others), same.numpy() == 1)
        assert same.dtype == tf.float32
        assert not any((a == b).all() for a, b in zip(anchors.numpy(), others.numpy()))


def test_positives_share_the_class_of_the_anchor_and_negatives_do_not(table, label_of):
    for (anchors, positives, negatives), _ in TripletBatches(**SIZES).stream(table, 5).take(20):
        np.testing.assert_array_equal(label_of(anchors), label_of(positives))
        assert not (label_of(anchors) == label_of(negatives)).any()


def test_image_batches_have_the_labels_of_their_images(table, label_of):
    for images, labels in ImageBatches(**SIZES).stream(table, 5).take(12):
        np.testing.assert_array_equal(label_of(images), labels)


def test_balanced_batches_have_k_images_of_p_classes(table, label_of):
    for images, labels in BalancedBatches(**SIZES).stream(table, 5).take(12):
        np.testing.assert_array_equal(label_of(images), labels)
        assert np.bincount(labels).tolist() == [4, 4, 4]


def test_an_epoch_of_image_batches_shows_every_image_once(table):
    batches = ImageBatches(**SIZES)
    shown = np.concatenate([images for images, _ in batches.stream(table, 5).take(batches.steps_per_epoch(27))])
    expected = table.gather(tf.range(len(table))).numpy()
    assert sorted(image.tobytes() for image in shown) == sorted(image.tobytes() for image in expected)


@pytest.mark.parametrize(("batch_type", "steps"), [(PairBatches, 15), (TripletBatches, 10), (BalancedBatches, 18)])
def test_an_epoch_of_drawn_batches_shows_each_image_eight_times_on_average(batch_type, steps):
    batches = batch_type(**SIZES)
    assert batches.steps_per_epoch(27) == 8 * 27 // batches.images_per_step == steps
    assert batches.steps_per_epoch(27, requested=2) == 2


@pytest.mark.parametrize("augmentation", ["none", "flip", "standard"])
def test_a_stream_that_starts_later_continues_the_same_batches(table, augmentation):
    batches = BalancedBatches(**SIZES, seed=7, augmentation=augmentation)
    full = [images for images, _ in batches.stream(table, 4).take(8)]
    resumed = [images for images, _ in batches.stream(table, 4, epoch=1).take(4)]
    for expected, actual in zip(full[4:], resumed):
        np.testing.assert_array_equal(expected, actual)
    assert any((a != b).numpy().any() for a, b in zip(full[:4], resumed))


@pytest.mark.parametrize("augmentation", ["none", "flip", "standard"])
@pytest.mark.parametrize("n_shards", [2, 3])
@pytest.mark.parametrize("batch_type", BATCH_TYPES)
def test_the_shards_of_a_batch_concatenate_to_the_batch(table, batch_type, n_shards, augmentation):
    shards = [WHOLE_BATCH, *(BatchShard(index, n_shards) for index in range(n_shards))]
    batches = batch_type(**SIZES, augmentation=augmentation)
    streams = [batches.stream(table, 5, shard=shard).take(12) for shard in shards]
    for batch, *parts in zip(*streams):
        concatenated = tf.nest.map_structure(lambda *values: np.concatenate(values), *parts)
        for expected, actual in zip(tf.nest.flatten(batch), tf.nest.flatten(concatenated)):
            np.testing.assert_array_equal(expected, actual)


def test_streams_run_without_python_between_files_and_batches(table):
    dataset = PairBatches(**SIZES, augmentation="standard").stream(table, 5)
    graph = tf.compat.v1.GraphDef.FromString(tf.raw_ops.DatasetToGraphV2(input_dataset=dataset._variant_tensor).numpy())
    operations = {node.op for function in graph.library.function for node in function.node_def}
    assert {"StatelessRandomUniformIntV2", "GatherV2"} & operations
    assert not [name for name in operations if "PyFunc" in name]


def test_images_decoded_on_demand_give_the_same_batches(scenes, table):
    uncached = ImageTable(Catalog.from_source(scenes), 24, cache="none")
    streams = [PairBatches(**SIZES).stream(images, 5).take(3) for images in (table, uncached)]
    for expected, actual in zip(*streams):
        np.testing.assert_array_equal(expected[0][0], actual[0][0])


@pytest.mark.parametrize("batch_type", BATCH_TYPES)
def test_validation_batches_are_the_same_every_epoch(table, batch_type):
    batches = batch_type(**SIZES, seed=3).validation_batches(table)
    for first, second in zip(batches, batches):
        for expected, actual in zip(tf.nest.flatten(first), tf.nest.flatten(second)):
            np.testing.assert_array_equal(expected, actual)


@pytest.mark.parametrize("batch_type", [PairBatches, TripletBatches, BalancedBatches])
def test_a_class_with_one_image_has_no_drawn_validation_batches(table, batch_type):
    single = ImageTable(table.catalog.subset(np.array([0, 9, 10])), 24)
    assert batch_type(**SIZES).validation_batches(single) is None
    assert ImageBatches(**SIZES).validation_batches(single) is not None
