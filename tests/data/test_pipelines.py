"""Tests of the tf.data pipelines and of batch shards."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.data.pipelines import BatchShard, augmented_images, image_batches
from tfretrieval.data.sampling import step_key


@pytest.fixture(scope="module")
def table(scenes):
    return ImageTable(Catalog.from_source(scenes), 24)


def test_image_batches_are_in_order(table):
    rows = np.array([7, 3, 3, 0, 11])
    images = np.concatenate(list(image_batches(table, 2, rows)))
    np.testing.assert_array_equal(images, table.gather(rows))
    assert sum(len(batch) for batch in image_batches(table, 4)) == len(table)


@pytest.mark.parametrize("augmentation", ["none", "flip", "standard"])
def test_a_shard_is_augmented_as_in_the_whole_batch(table, augmentation):
    columns = (tf.constant([0, 1, 2, 3, 4], tf.int64), tf.constant([5, 6, 7, 8, 9], tf.int64))
    key = step_key(0, tf.constant(0), tf.constant(0))
    whole = augmented_images(table, columns, key, augmentation, BatchShard())
    shards = [augmented_images(table, columns, key, augmentation, BatchShard(index, 3)) for index in range(3)]
    for column in range(2):
        np.testing.assert_array_equal(np.concatenate([shard[column] for shard in shards]), whole[column])


def test_shard_sizes_differ_by_one_row_at_most():
    for n in range(9):
        sizes = [len(BatchShard(index, 4).positions(n)) for index in range(4)]
        assert sum(sizes) == n
        assert max(sizes) - min(sizes) <= 1


def test_shard_rows_are_the_rows_at_its_positions():
    batch = tf.constant([[1, 2], [3, 4], [5, 6]])
    np.testing.assert_array_equal(BatchShard(1, 2).rows(batch), [[5, 6]])
    np.testing.assert_array_equal(BatchShard().rows(batch), batch)
