"""Tests of the losses by name."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.losses import LOSSES, loss_spec


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "cross-entropy" and "addons" not in name])
def test_options_reach_the_loss(name):
    loss = loss_spec(name).build_loss(margin=0.2, squared=True, soft=True)
    assert (loss.name, loss.margin, loss.squared, loss.soft) == (name, 0.2, True, True)


def test_predictions_of_cross_entropy_are_logits():
    loss = loss_spec("cross-entropy").build_loss(margin=0.2, squared=True, soft=True)
    assert float(loss(np.array([1]), np.array([[0.0, 30.0]]))) == pytest.approx(0, abs=1e-6)
    assert float(loss(np.array([1]), np.array([[0.0, 0.0]]))) == pytest.approx(np.log(2))


def test_unknown_loss_is_an_error():
    with pytest.raises(UserError, match="hinge"):
        loss_spec("hinge")
