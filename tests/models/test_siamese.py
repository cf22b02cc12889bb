"""Tests of the siamese network."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.models.embedder import build_embedder
from tfretrieval.models.siamese import build_siamese

IMAGES = list(np.random.default_rng(0).uniform(0, 255, (3, 2, 16, 16, 3)).astype(np.float32))
pairs_and_triplets = pytest.mark.parametrize("images", [IMAGES[:2], IMAGES], ids=["pairs", "triplets"])


@pytest.fixture
def embedder():
    return build_embedder("convnet", 16, 10)


@pairs_and_triplets
def test_outputs_are_the_distances_to_the_anchor(embedder, images):
    anchor, *others = (embedder(batch) for batch in images)
    expected = np.stack([np.linalg.norm(anchor - other, axis=1) for other in others], axis=1)
    np.testing.assert_allclose(build_siamese(embedder, len(images))(images), expected, rtol=1e-4)


def test_inputs_share_the_weights_of_the_embedder(embedder):
    assert build_siamese(embedder, 3).count_params() == embedder.count_params()


@pairs_and_triplets
def test_gradients_agree_with_those_of_separate_calls(embedder, images):
    network = build_siamese(embedder, len(images))
    layer = network.layers[-1]
    gradients = []
    for distances in (
        lambda: network(images),
        lambda: layer(tf.concat([embedder(batch) for batch in images], axis=0)),
    ):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(tf.square(distances()))
        gradients.append(tape.gradient(total, embedder.trainable_variables))
    scale = max(float(tf.reduce_max(tf.abs(gradient))) for gradient in gradients[1])
    assert scale > 0
    for actual, expected in zip(*gradients):
        np.testing.assert_allclose(actual, expected, atol=1e-5 * scale)


def test_saved_network_has_the_same_output(embedder, tmp_path):
    network = build_siamese(embedder, 3)
    network.save(tmp_path / "m.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "m.keras")(IMAGES), network(IMAGES), rtol=1e-6)
