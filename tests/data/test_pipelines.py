"""Batches: what was drawn is what is shown."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.data.pipelines import balanced_steps, classification_steps, image_batches, pair_steps, triplet_steps
from tfretrieval.data.share import WHOLE, Share


@pytest.fixture(scope="module")
def table(scenes):
    return ImageTable(Catalog.from_source(scenes), 24)


@pytest.fixture(scope="module")
def label_of(table):
    """The label of an image by its pixels: every made-up image is another."""
    images = table.gather(tf.range(len(table))).numpy()
    known = {image.tobytes(): label for image, label in zip(images, table.catalog.labels.tolist())}
    assert len(known) == len(table)
    return lambda images: np.array([known[image.tobytes()] for image in np.asarray(images)])


def test_pairs_carry_the_label_of_what_they_show(table, label_of):
    for (anchors, others), same in pair_steps(table, 16, 0, 5).take(20):
        np.testing.assert_array_equal(label_of(anchors) == label_of(others), same.numpy() == 1)
        assert same.dtype == tf.float32
        assert not any((a == b).all() for a, b in zip(anchors.numpy(), others.numpy()))


def test_triplets_show_anchor_positive_and_negative(table, label_of):
    for (anchors, positives, negatives), _ in triplet_steps(table, 16, 0, 5).take(20):
        np.testing.assert_array_equal(label_of(anchors), label_of(positives))
        assert not (label_of(anchors) == label_of(negatives)).any()


def test_images_and_balanced_batches_carry_their_labels(table, label_of):
    for images, labels in classification_steps(table, 5, 0).take(12):
        np.testing.assert_array_equal(label_of(images), labels)
    for images, labels in balanced_steps(table, 3, 4, 0, 5).take(12):
        np.testing.assert_array_equal(label_of(images), labels)
        assert np.bincount(labels).tolist() == [4, 4, 4]


def test_image_batches_come_in_order(table):
    rows = np.array([7, 3, 3, 0, 11])
    whole = np.concatenate(list(image_batches(table, 2, rows)))
    np.testing.assert_array_equal(whole, table.gather(rows))
    assert sum(len(batch) for batch in image_batches(table, 4)) == len(table)


@pytest.mark.parametrize("augmentation", ["none", "flip", "standard"])
def test_a_stream_that_begins_later_shows_what_it_would_have_shown(table, augmentation):
    whole = [batch for batch, _ in balanced_steps(table, 3, 2, 7, 4, augmentation).take(8)]
    later = [batch for batch, _ in balanced_steps(table, 3, 2, 7, 4, augmentation, first_epoch=1).take(4)]
    for one, other in zip(whole[4:], later):
        np.testing.assert_array_equal(one, other)
    assert any((one != other).numpy().any() for one, other in zip(whole[:4], later))


def test_no_python_runs_between_the_files_and_the_batch(table):
    dataset = pair_steps(table, 4, 0, 5, "standard")
    graph = tf.compat.v1.GraphDef.FromString(tf.raw_ops.DatasetToGraphV2(input_dataset=dataset._variant_tensor).numpy())
    operations = {node.op for function in graph.library.function for node in function.node_def}
    assert {"StatelessRandomUniformIntV2", "GatherV2"} & operations
    assert not [name for name in operations if "PyFunc" in name]


def test_images_that_are_not_kept_are_read_again(scenes, table):
    unkept = ImageTable(Catalog.from_source(scenes), 24, cache="none")
    for one, other in zip(pair_steps(table, 4, 3, 5).take(3), pair_steps(unkept, 4, 3, 5).take(3)):
        np.testing.assert_array_equal(one[0][0], other[0][0])


@pytest.mark.parametrize("augmentation", ["none", "flip", "standard"])
@pytest.mark.parametrize("of", [2, 3])
@pytest.mark.parametrize("steps", [pair_steps, triplet_steps, balanced_steps, classification_steps])
def test_the_shares_of_a_batch_are_the_batch(table, steps, of, augmentation):
    sizes = {balanced_steps: (3, 4, 0, 5), classification_steps: (5, 0)}.get(steps, (7, 0, 5))
    streams = [steps(table, *sizes, augmentation, share=share).take(12) for share in (WHOLE, *shares(of))]
    for whole, *parts in zip(*streams):
        together = tf.nest.map_structure(lambda *values: np.concatenate(values), *parts)
        for one, other in zip(tf.nest.flatten(whole), tf.nest.flatten(together)):
            np.testing.assert_array_equal(one, other)


def shares(of):
    return [Share(number, of) for number in range(of)]


def test_shares_differ_by_one_row_at_most():
    for n in range(9):
        sizes = [len(share.places(n)) for share in shares(4)]
        assert sum(sizes) == n
        assert max(sizes) - min(sizes) <= 1
