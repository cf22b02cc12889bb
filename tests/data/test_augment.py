"""Tests of image augmentation."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.data.augment import AUGMENTATIONS, augment

IMAGES = tf.constant(np.random.default_rng(0).integers(0, 256, (400, 8, 8, 3)), tf.uint8)
KEY = tf.constant([1, 2], tf.int64)


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_shape_and_dtype_are_kept_and_the_key_decides(kind):
    first, repeated, other = (augment(IMAGES, key, kind) for key in (KEY, KEY, KEY + 1))
    assert first.dtype == tf.uint8
    assert first.shape == IMAGES.shape
    np.testing.assert_array_equal(first, repeated)
    assert bool(tf.reduce_all(first == other)) == (kind == "none")


def test_flip_mirrors_half_of_the_images():
    flipped = augment(IMAGES, KEY, "flip").numpy()
    unchanged = (flipped == IMAGES.numpy()).all(axis=(1, 2, 3))
    mirrored = (flipped == IMAGES.numpy()[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (unchanged ^ mirrored).all()
    assert 160 <= mirrored.sum() <= 240


def test_standard_changes_each_image_by_15_percent_at_most():
    gray = tf.fill((200, 16, 16, 3), tf.constant(120, tf.uint8))
    levels = augment(gray, KEY, "standard").numpy().mean(axis=(1, 2, 3))
    assert len(np.unique(levels)) > 20
    assert levels.min() >= 120 * 0.84
    assert levels.max() <= 120 * 1.16


def test_unknown_augmentation_is_an_error():
    with pytest.raises(ValueError, match="rotate"):
        augment(IMAGES, KEY, "rotate")
