"""The losses on distances of explicit pairs and triplets."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.errors import UserError
from tfretrieval.losses import ContrastiveLoss, TripletLoss
from tfretrieval.models.layers import PairDistance, TripletDistances

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
def test_contrastive_worked_by_hand(options, same, different):
    loss = ContrastiveLoss(**options, reduction="none")
    np.testing.assert_allclose(loss(np.ones(4), DISTANCES), same, rtol=1e-6)
    np.testing.assert_allclose(loss(np.zeros(4), DISTANCES), different, rtol=1e-6)


def test_1_means_the_same_class():
    near, far = np.array([0.1], np.float32), np.array([2.0], np.float32)
    loss = ContrastiveLoss()
    assert float(loss([1.0], near)) < float(loss([1.0], far))
    assert float(loss([0.0], near)) > float(loss([0.0], far))


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
def test_triplet_worked_by_hand(options, expected):
    distances = np.array([[0.5, 0.5], [0.0, 2.0], [3.0, 1.0]], np.float32)
    loss = TripletLoss(**options, reduction="none")
    np.testing.assert_allclose(loss(np.zeros(3), distances), expected, rtol=1e-6)


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("soft", [False, True])
def test_coincident_points_have_finite_gradients(squared, soft):
    points = [tf.Variable(tf.ones((2, 3))) for _ in range(3)]
    with tf.GradientTape() as tape:
        distance = PairDistance()((points[0], points[1]))
        both = TripletDistances()(tuple(points))
        cost = ContrastiveLoss(squared=squared, soft=soft)(np.array([1.0, 0.0]), distance)
        cost += TripletLoss(squared=squared, soft=soft)(np.zeros(2), both)
    assert np.isfinite(float(cost))
    for gradient in tape.gradient(cost, points):
        assert np.isfinite(gradient.numpy()).all()


@pytest.mark.parametrize("loss", [ContrastiveLoss, TripletLoss])
def test_the_configuration_comes_back(loss):
    one = loss(margin=0.3, squared=True, soft=True)
    other = keras.losses.deserialize(keras.losses.serialize(one))
    assert type(other) is loss
    assert other.get_config() == one.get_config()


@pytest.mark.parametrize("margin", [0, -1.0, float("nan")])
def test_a_margin_that_is_none(margin):
    with pytest.raises(UserError, match="the margin must be above 0"):
        TripletLoss(margin=margin)
