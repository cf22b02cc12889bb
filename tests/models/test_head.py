"""The part of an embedder behind its backbone."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.models import build_embedder
from tfretrieval.models.head import backbone_of, head_of, put_head

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3)).astype(np.float32)


@pytest.mark.parametrize(("dim", "normalize"), [(10, False), (10, True), (None, False), (None, True)])
def test_backbone_and_head_in_turn_are_the_embedder(dim, normalize):
    embedder = build_embedder("convnet", 16, dim, normalize=normalize, freeze=True)
    parted = head_of(embedder)(backbone_of(embedder)(IMAGES))
    np.testing.assert_allclose(parted, embedder(IMAGES), rtol=1e-6, atol=1e-6)


def test_a_trained_head_goes_under_another_copy_of_its_embedder():
    one, other = (build_embedder("convnet", 16, 4) for _ in range(2))
    backbone_of(other).set_weights(backbone_of(one).get_weights())
    head = head_of(one)
    head.set_weights([weights + 1 for weights in head.get_weights()])
    assert np.abs(other(IMAGES) - one(IMAGES)).max() > 0.5
    put_head(other, head)
    np.testing.assert_array_equal(other(IMAGES), one(IMAGES))
