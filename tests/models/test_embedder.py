"""Tests of the embedder."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.models.embedder import EMBEDDING, build_embedder, image_size_of, in_float32

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3)).astype(np.float32)


@pytest.mark.parametrize(("dim", "expected"), [(10, 10), (None, 256)])
def test_dimension_is_that_of_the_projection_or_the_backbone(dim, expected):
    embedder = build_embedder("convnet", 16, dim)
    assert embedder(IMAGES).shape == (3, expected)
    assert embedder.layers[-1].name == EMBEDDING
    assert image_size_of(embedder) == 16


def test_normalized_embeddings_have_length_1():
    vectors = build_embedder("convnet", 16, 10, normalize=True)(IMAGES)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_frozen_backbone_leaves_the_projection_trainable():
    embedder = build_embedder("convnet", 16, 10, freeze=True)
    assert {variable.shape[-1] for variable in embedder.trainable_variables} == {10}
    assert len(embedder.trainable_variables) == 2


@pytest.mark.parametrize("options", [{}, {"normalize": True}, {"backbone": "mobilenet_v2_0.35", "image_size": 32}])
def test_saved_model_has_the_same_output(tmp_path, options):
    embedder = build_embedder(**{"image_size": 16, "embedding_dim": 10, **options})
    images = np.random.default_rng(0).uniform(0, 255, (2, *embedder.input_shape[1:])).astype(np.float32)
    embedder.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(loaded(images), embedder(images), rtol=1e-6)


def test_too_small_image_size_is_an_error():
    with pytest.raises(UserError, match="image size"):
        build_embedder("convnet", 4)


def test_float32_copy_of_a_half_precision_model():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        half = build_embedder("mobilenet_v2_0.35", 32, 4, normalize=True)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    full = in_float32(half)
    assert in_float32(full) is full
    images = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(full(images), half(images), atol=0.1)
    assert not np.array_equal(full(images), half(images))
