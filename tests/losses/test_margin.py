"""Tests of the base class of the metric losses."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.losses.contrastive import ContrastiveLoss
from tfretrieval.losses.triplet import TripletLoss
from tfretrieval.losses.triplet_all import TripletAllLoss
from tfretrieval.losses.triplet_hard import TripletHardLoss
from tfretrieval.losses.triplet_semihard import TripletSemiHardLoss

LOSSES = (ContrastiveLoss, TripletLoss, TripletAllLoss, TripletHardLoss, TripletSemiHardLoss)


@pytest.mark.parametrize("loss", LOSSES)
def test_configuration_survives_serialization(loss):
    original = loss(margin=0.3, squared=True, soft=True, name="mine")
    restored = keras.losses.deserialize(keras.losses.serialize(original))
    assert type(restored) is loss
    assert restored.get_config() == original.get_config()
    assert (restored.margin, restored.squared, restored.soft, restored.name) == (0.3, True, True, "mine")


@pytest.mark.parametrize("margin", [0, -1.0, float("nan")])
def test_margin_must_be_positive(margin):
    with pytest.raises(UserError, match="margin"):
        TripletLoss(margin=margin)


def test_soft_hinge_is_softplus_without_the_margin():
    gaps = np.array([-1.0, 0.0, 2.0], np.float32)
    np.testing.assert_allclose(TripletLoss(margin=0.5).triplet_loss(gaps), [0, 0.5, 2.5])
    np.testing.assert_allclose(TripletLoss(margin=0.5, soft=True).triplet_loss(gaps), np.log1p(np.exp(gaps)), rtol=1e-6)
