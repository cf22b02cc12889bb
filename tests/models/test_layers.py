"""Tests of the registered layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.models.layers import (
    BackbonePreprocessing,
    CosineLogits,
    L2Normalization,
    PairDistance,
    TripletDistances,
    safe_sqrt,
)

RNG = np.random.default_rng(0)
FIRST, SECOND, THIRD = RNG.normal(size=(3, 5, 4)).astype(np.float32)


def test_pair_distance_is_euclidean():
    np.testing.assert_allclose(PairDistance()((FIRST, SECOND)), np.linalg.norm(FIRST - SECOND, axis=1), rtol=1e-6)


def test_triplet_distances_are_to_the_positive_and_the_negative():
    distances = TripletDistances()((FIRST, SECOND, THIRD)).numpy()
    np.testing.assert_allclose(distances[:, 0], np.linalg.norm(FIRST - SECOND, axis=1), rtol=1e-6)
    np.testing.assert_allclose(distances[:, 1], np.linalg.norm(FIRST - THIRD, axis=1), rtol=1e-6)


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
        (PairDistance(), (FIRST, SECOND)),
        (TripletDistances(), (FIRST, SECOND, THIRD)),
        (L2Normalization(), FIRST),
        (CosineLogits(3, scale=5.0), FIRST),
        (BackbonePreprocessing("resnet"), RNG.uniform(0, 255, (2, 4, 4, 3)).astype(np.float32)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, keras.layers.Layer) else "",
)
def test_layer_survives_serialization_and_computes_its_output_shape(layer, inputs):
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    expected = layer(inputs)
    copy(inputs)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(inputs), expected)
    shape = [x.shape for x in inputs] if isinstance(inputs, tuple) else inputs.shape
    assert tuple(layer.compute_output_shape(shape)) == tuple(expected.shape)
