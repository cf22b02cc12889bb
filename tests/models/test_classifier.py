"""Tests of the classifier."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.models.classifier import build_classifier
from tfretrieval.models.embedder import build_embedder

IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype(np.float32)


@pytest.fixture
def embedder():
    return build_embedder("convnet", 16, 10)


def test_linear_head_is_a_dense_layer_initialized_with_zeros(embedder):
    classifier = build_classifier(embedder, 5, "linear")
    kernel, bias = classifier.get_layer("head").get_weights()
    np.testing.assert_array_equal(kernel, 0)
    kernel = np.random.default_rng(0).normal(size=kernel.shape)
    classifier.get_layer("head").set_weights([kernel, bias])
    np.testing.assert_allclose(classifier(IMAGES), embedder(IMAGES).numpy() @ kernel, rtol=1e-4, atol=1e-4)


def test_cosine_head_gives_scaled_cosines_with_class_prototypes(embedder):
    classifier = build_classifier(embedder, 5, "cosine")
    head = classifier.get_layer("head")
    (prototypes,) = head.get_weights()
    vectors = embedder(IMAGES).numpy()
    lengths = np.linalg.norm(vectors, axis=1)[:, None] * np.linalg.norm(prototypes, axis=1)
    np.testing.assert_allclose(classifier(IMAGES), 20 * (vectors @ prototypes.T) / lengths, rtol=1e-3, atol=1e-3)
    head.set_weights([7 * prototypes])
    assert np.abs(classifier(IMAGES)).max() <= 20


def test_unknown_head_is_an_error(embedder):
    with pytest.raises(UserError, match="arc"):
        build_classifier(embedder, 3, "arc")


@pytest.mark.parametrize("head", ["cosine", "linear"])
def test_saved_network_has_the_same_output(embedder, head, tmp_path):
    network = build_classifier(embedder, 3, head)
    network.save(tmp_path / "m.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "m.keras")(IMAGES), network(IMAGES), rtol=1e-6)
