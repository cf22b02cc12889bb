"""Random changes of images."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.data.augment import AUGMENTATIONS, augment

IMAGES = tf.constant(np.random.default_rng(0).integers(0, 256, (400, 8, 8, 3)), tf.uint8)
SEED = tf.constant([1, 2], tf.int64)


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_shape_and_dtype_stay_and_the_seed_decides(kind):
    one, same, other = (augment(IMAGES, seed, kind) for seed in (SEED, SEED, SEED + 1))
    assert one.dtype == tf.uint8
    assert one.shape == IMAGES.shape
    np.testing.assert_array_equal(one, same)
    assert bool(tf.reduce_all(one == other)) == (kind == "none")


def test_half_of_the_images_are_mirrored_and_the_others_left():
    flipped = augment(IMAGES, SEED, "flip").numpy()
    left = (flipped == IMAGES.numpy()).all(axis=(1, 2, 3))
    mirrored = (flipped == IMAGES.numpy()[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (left ^ mirrored).all()
    assert 160 <= mirrored.sum() <= 240


def test_standard_changes_each_image_in_its_own_way_and_not_beyond_recognition():
    gray = tf.fill((200, 16, 16, 3), tf.constant(120, tf.uint8))
    levels = augment(gray, SEED, "standard").numpy().mean(axis=(1, 2, 3))
    assert len(np.unique(levels)) > 20
    assert levels.min() >= 120 * 0.84
    assert levels.max() <= 120 * 1.16


def test_an_unknown_kind():
    with pytest.raises(ValueError, match="augment must be one of none, flip, standard"):
        augment(IMAGES, SEED, "rotate")
