"""Tests of the registered layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.models.layers import AnchorDistances, BackbonePreprocessing, CosineLogits, L2Normalization, safe_sqrt

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(6, 4)).astype(np.float32)


def test_distances_to_the_anchor_are_euclidean():
    anchor, first, second = np.split(VECTORS, 3)
    expected = [np.linalg.norm(anchor - other, axis=1) for other in (first, second)]
    np.testing.assert_allclose(AnchorDistances(3)(VECTORS), np.stack(expected, axis=1), rtol=1e-6)


def test_square_root_of_0_has_the_gradient_0():
    x = tf.Variable([0.0, 4.0, 1e-20])
    with tf.GradientTape() as tape:
        root = safe_sqrt(x)
    np.testing.assert_allclose(root, [0, 2, 0], atol=1e-6)
    np.testing.assert_allclose(tape.gradient(root, x), [0, 0.25, 0])


def test_zero_vector_stays_zero_with_a_finite_gradient():
    x = tf.Variable([[0.0, 0.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        normal = L2Normalization()(x)
    np.testing.assert_allclose(normal, [[0, 0], [0.6, 0.8]], rtol=1e-5)
    assert np.abs(tape.gradient(normal, x).numpy()).max() <= 1e3


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (AnchorDistances(3), VECTORS),
        (L2Normalization(), VECTORS),
        (CosineLogits(3, scale=5.0), VECTORS),
        (BackbonePreprocessing("resnet"), RNG.uniform(0, 255, (2, 4, 4, 3)).astype(np.float32)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.layers.Layer) else "",
)
def test_layer_survives_serialization(layer, inputs):
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    expected = layer(inputs)
    copy(inputs)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(inputs), expected)
    assert layer(keras.Input(inputs.shape[1:])).shape[1:] == expected.shape[1:]
