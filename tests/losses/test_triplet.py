"""Tests of the triplet loss."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.losses.triplet import TripletLoss
from tfretrieval.models.layers import AnchorDistances


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1, 0, 3]),
        ({"margin": 0.5}, [0.5, 0, 2.5]),
        ({"squared": True}, [1, 0, 9]),
        ({"soft": True}, np.log1p(np.exp([0, -2, 2]))),
        ({"soft": True, "squared": True}, np.log1p(np.exp([0, -4, 8]))),
    ],
)
def test_loss_of_known_distances(options, expected):
    distances = np.array([[0.5, 0.5], [0.0, 2.0], [3.0, 1.0]], np.float32)
    loss = TripletLoss(**options, reduction="none")
    np.testing.assert_allclose(loss(np.zeros(3), distances), expected, rtol=1e-6)


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("soft", [False, True])
def test_identical_embeddings_have_finite_gradients(squared, soft):
    embeddings = tf.Variable(tf.ones((6, 3)))
    with tf.GradientTape() as tape:
        loss = TripletLoss(squared=squared, soft=soft)(np.zeros(2), AnchorDistances(3)(embeddings))
    assert np.isfinite(float(loss))
    assert np.isfinite(tape.gradient(loss, embeddings).numpy()).all()
