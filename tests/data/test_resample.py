"""Tests of resampling, against Pillow."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tfretrieval.data.resample import resample

SIDES = st.integers(1, 90)


def resized_by_pillow(image, size):
    resized = Image.fromarray(image).resize((size, len(image)), Image.Resampling.BILINEAR)
    return np.asarray(resized.resize((size, size), Image.Resampling.BILINEAR))


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, st.integers(1, 70), st.integers(0, 10_000))
def test_pixels_equal_those_of_pillow(height, width, size, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    np.testing.assert_array_equal(resample(image, size), resized_by_pillow(image, size))


@pytest.mark.parametrize("value", [0, 255])
def test_uniform_images_do_not_change(value):
    assert (resample(np.full((301, 123, 3), value, np.uint8), 64).numpy() == value).all()


def test_image_size_may_be_unknown_in_the_graph():
    graph = tf.function(lambda image: resample(image, 20), input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
    for shape in ((50, 31, 3), (7, 90, 3)):
        image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        np.testing.assert_array_equal(graph(tf.constant(image)), resized_by_pillow(image, 20))
