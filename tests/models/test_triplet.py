"""Tests of the triplet network."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.models import build_embedder, build_triplet

IMAGES = list(np.random.default_rng(0).uniform(0, 255, (3, 2, 16, 16, 3)).astype(np.float32))


@pytest.fixture
def embedder():
    return build_embedder("convnet", 16, 10)


def test_outputs_are_the_distances_to_the_positive_and_the_negative(embedder):
    anchor, positive, negative = (embedder(images) for images in IMAGES)
    distances = build_triplet(embedder)(IMAGES).numpy()
    np.testing.assert_allclose(distances[:, 0], np.linalg.norm(anchor - positive, axis=1), rtol=1e-4)
    np.testing.assert_allclose(distances[:, 1], np.linalg.norm(anchor - negative, axis=1), rtol=1e-4)


def test_inputs_share_the_weights_of_the_embedder(embedder):
    assert build_triplet(embedder).count_params() == embedder.count_params()


def test_gradients_agree_with_those_of_separate_calls(embedder):
    network = build_triplet(embedder)
    distance = network.layers[-1]
    gradients = []
    for distances in (lambda: network(IMAGES), lambda: distance([embedder(images) for images in IMAGES])):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(tf.square(distances()))
        gradients.append(tape.gradient(total, embedder.trainable_variables))
    scale = max(float(tf.reduce_max(tf.abs(gradient))) for gradient in gradients[1])
    assert scale > 0
    for actual, expected in zip(*gradients):
        np.testing.assert_allclose(actual, expected, atol=1e-5 * scale)


def test_saved_network_has_the_same_output(embedder, tmp_path):
    network = build_triplet(embedder)
    network.save(tmp_path / "m.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "m.keras")(IMAGES), network(IMAGES), rtol=1e-6)
