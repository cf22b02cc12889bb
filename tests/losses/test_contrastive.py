"""Tests of the contrastive loss."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.losses.contrastive import ContrastiveLoss
from tfretrieval.models.layers import AnchorDistances

DISTANCES = np.array([0.0, 0.25, 1.0, 3.0], np.float32)


@pytest.mark.parametrize(
    ("options", "same", "different"),
    [
        ({}, [0, 0.0625, 1, 9], [1, 0.5625, 0, 0]),
        ({"margin": 2.0}, [0, 0.0625, 1, 9], [4, 3.0625, 1, 0]),
        ({"squared": True}, [0, 0.0625, 1, 9], [1, 0.9375, 0, 0]),
        ({"soft": True}, [0, 0.0625, 1, 9], np.log1p(np.exp(1 - DISTANCES)) ** 2),
        ({"soft": True, "squared": True}, [0, 0.0625, 1, 9], np.log1p(np.exp(1 - DISTANCES**2))),
    ],
)
def test_loss_of_known_distances(options, same, different):
    loss = ContrastiveLoss(**options, reduction="none")
    np.testing.assert_allclose(loss(np.ones(4), DISTANCES), same, rtol=1e-6)
    np.testing.assert_allclose(loss(np.zeros(4), DISTANCES), different, rtol=1e-6)


def test_target_1_pulls_pairs_together_and_0_pushes_them_apart():
    close, far = np.array([0.1], np.float32), np.array([2.0], np.float32)
    loss = ContrastiveLoss()
    assert float(loss([1.0], close)) < float(loss([1.0], far))
    assert float(loss([0.0], close)) > float(loss([0.0], far))


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("soft", [False, True])
def test_identical_embeddings_have_finite_gradients(squared, soft):
    embeddings = tf.Variable(tf.ones((4, 3)))
    with tf.GradientTape() as tape:
        distances = AnchorDistances(2)(embeddings)
        loss = ContrastiveLoss(squared=squared, soft=soft)(np.array([1.0, 0.0]), distances)
    assert np.isfinite(float(loss))
    assert np.isfinite(tape.gradient(loss, embeddings).numpy()).all()
