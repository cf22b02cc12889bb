"""The networks around the embedder: siamese, triplet and classifier."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.errors import UserError
from tfretrieval.models import build_classifier, build_embedder, build_siamese, build_triplet

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 2, 16, 16, 3)).astype(np.float32)


@pytest.fixture
def embedder():
    return build_embedder("convnet", 16, 10)


def test_the_siamese_net_measures_the_distance_of_two_embeddings(embedder):
    one, other = embedder(IMAGES[0]), embedder(IMAGES[1])
    distances = build_siamese(embedder)([IMAGES[0], IMAGES[1]])
    np.testing.assert_allclose(distances, np.linalg.norm(one - other, axis=1), rtol=1e-4)


def test_the_triplet_net_measures_two(embedder):
    anchor, positive, negative = (embedder(images) for images in IMAGES)
    distances = build_triplet(embedder)(list(IMAGES)).numpy()
    np.testing.assert_allclose(distances[:, 0], np.linalg.norm(anchor - positive, axis=1), rtol=1e-4)
    np.testing.assert_allclose(distances[:, 1], np.linalg.norm(anchor - negative, axis=1), rtol=1e-4)


@pytest.mark.parametrize("build", [build_siamese, build_triplet])
def test_inputs_share_one_set_of_weights(embedder, build):
    assert build(embedder).count_params() == embedder.count_params()


@pytest.mark.parametrize(("build", "n"), [(build_siamese, 2), (build_triplet, 3)])
def test_inputs_as_one_batch_have_the_gradients_of_one_after_the_other(embedder, build, n):
    network = build(embedder)
    layer = network.layers[-1]
    gradients = []
    for distances in (lambda: network(list(IMAGES[:n])), lambda: layer([embedder(images) for images in IMAGES[:n]])):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(tf.square(distances()))
        gradients.append(tape.gradient(total, embedder.trainable_variables))
    scale = max(float(tf.reduce_max(tf.abs(gradient))) for gradient in gradients[1])
    assert scale > 0
    for one, other in zip(*gradients):
        np.testing.assert_allclose(one, other, atol=1e-5 * scale)


def test_a_linear_head_is_a_dense_layer_of_zeros(embedder):
    classifier = build_classifier(embedder, 5, "linear")
    kernel, bias = classifier.get_layer("head").get_weights()
    np.testing.assert_array_equal(kernel, 0)
    classifier.get_layer("head").set_weights([np.random.default_rng(0).normal(size=kernel.shape), bias])
    expected = embedder(IMAGES[0]).numpy() @ classifier.get_layer("head").get_weights()[0]
    np.testing.assert_allclose(classifier(IMAGES[0]), expected, rtol=1e-4, atol=1e-4)


def test_a_cosine_head_compares_angles_with_a_prototype_of_each_class(embedder):
    classifier = build_classifier(embedder, 5, "cosine")
    head = classifier.get_layer("head")
    (prototypes,) = head.get_weights()
    vectors = embedder(IMAGES[0]).numpy()
    lengths = np.linalg.norm(vectors, axis=1)[:, None] * np.linalg.norm(prototypes, axis=1)
    np.testing.assert_allclose(classifier(IMAGES[0]), 20 * (vectors @ prototypes.T) / lengths, rtol=1e-3, atol=1e-3)
    head.set_weights([7 * prototypes])
    assert np.abs(classifier(IMAGES[0])).max() <= 20


def test_an_unknown_head(embedder):
    with pytest.raises(UserError, match="no head 'arc'; there are cosine, linear"):
        build_classifier(embedder, 3, "arc")


@pytest.mark.parametrize(
    "build",
    [build_siamese, build_triplet, lambda e: build_classifier(e, 3), lambda e: build_classifier(e, 3, "linear")],
)
def test_a_saved_network_answers_as_before(embedder, build, tmp_path):
    network = build(embedder)
    network.save(tmp_path / "m.keras")
    inputs = [IMAGES[i] for i in range(len(network.inputs))]
    inputs = inputs[0] if len(inputs) == 1 else inputs
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "m.keras")(inputs), network(inputs), rtol=1e-6)
