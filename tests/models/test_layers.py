"""The registered layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.models.distances import safe_sqrt
from tfretrieval.models.layers import (
    BackbonePreprocessing,
    CosineLogits,
    L2Normalization,
    PairDistance,
    TripletDistances,
)

RNG = np.random.default_rng(0)
ONE, OTHER, THIRD = RNG.normal(size=(3, 5, 4)).astype(np.float32)


def test_a_pair_has_its_euclidean_distance():
    np.testing.assert_allclose(PairDistance()((ONE, OTHER)), np.linalg.norm(ONE - OTHER, axis=1), rtol=1e-6)


def test_a_triplet_has_two():
    distances = TripletDistances()((ONE, OTHER, THIRD)).numpy()
    np.testing.assert_allclose(distances[:, 0], np.linalg.norm(ONE - OTHER, axis=1), rtol=1e-6)
    np.testing.assert_allclose(distances[:, 1], np.linalg.norm(ONE - THIRD, axis=1), rtol=1e-6)


def test_the_root_of_0_is_0_and_its_gradient_too():
    x = tf.Variable([0.0, 4.0, 1e-20])
    with tf.GradientTape() as tape:
        root = safe_sqrt(x)
    np.testing.assert_allclose(root, [0, 2, 0], atol=1e-6)
    np.testing.assert_allclose(tape.gradient(root, x), [0, 0.25, 0])


def test_a_zero_vector_stays_zero_with_a_finite_gradient():
    x = tf.Variable([[0.0, 0.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        normal = L2Normalization()(x)
    np.testing.assert_allclose(normal, [[0, 0], [0.6, 0.8]], rtol=1e-5)
    assert np.abs(tape.gradient(normal, x).numpy()).max() <= 1e3


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (PairDistance(), (ONE, OTHER)),
        (TripletDistances(), (ONE, OTHER, THIRD)),
        (L2Normalization(), ONE),
        (CosineLogits(3, scale=5.0), ONE),
        (BackbonePreprocessing("resnet"), RNG.uniform(0, 255, (2, 4, 4, 3)).astype(np.float32)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.layers.Layer) else "",
)
def test_a_layer_comes_back_and_knows_its_shape(layer, inputs):
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    expected = layer(inputs)
    copy(inputs)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(inputs), expected)
    shape = [x.shape for x in inputs] if isinstance(inputs, tuple) else inputs.shape
    assert tuple(layer.compute_output_shape(shape)) == tuple(expected.shape)
