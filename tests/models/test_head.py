"""Tests of the backbone and the head of an embedder."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.models.embedder import build_embedder
from tfretrieval.models.head import backbone_of, head_of, set_head_weights

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3)).astype(np.float32)


@pytest.mark.parametrize(("dim", "normalize"), [(10, False), (10, True), (None, False), (None, True)])
def test_backbone_followed_by_head_equals_the_embedder(dim, normalize):
    embedder = build_embedder("convnet", 16, dim, normalize=normalize, freeze=True)
    vectors = head_of(embedder)(backbone_of(embedder)(IMAGES))
    np.testing.assert_allclose(vectors, embedder(IMAGES), rtol=1e-6, atol=1e-6)


def test_trained_head_can_be_copied_into_another_embedder():
    source, target = (build_embedder("convnet", 16, 4) for _ in range(2))
    backbone_of(target).set_weights(backbone_of(source).get_weights())
    head = head_of(source)
    head.set_weights([weights + 1 for weights in head.get_weights()])
    assert np.abs(target(IMAGES) - source(IMAGES)).max() > 0.5
    set_head_weights(target, head)
    np.testing.assert_array_equal(target(IMAGES), source(IMAGES))
