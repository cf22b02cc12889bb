"""Tests of the losses by name."""

from __future__ import annotations

import pytest

from tfretrieval.errors import UserError
from tfretrieval.losses import LOSSES, ContrastiveLoss, TripletAllLoss, loss_spec, make_loss


@pytest.mark.parametrize(("name", "loss_class"), [("contrastive", ContrastiveLoss), ("triplet-all", TripletAllLoss)])
def test_options_reach_the_loss(name, loss_class):
    loss = make_loss(name, margin=0.2, squared=True, soft=True)
    assert type(loss) is loss_class
    assert (loss.name, loss.margin, loss.squared, loss.soft) == (name, 0.2, True, True)


@pytest.mark.parametrize("name", [name for name in LOSSES if not name.startswith("addons/")])
def test_every_loss_can_be_made_by_name(name):
    assert make_loss(name).reduction is not None


@pytest.mark.parametrize("function", [make_loss, loss_spec])
def test_unknown_loss_is_an_error(function):
    with pytest.raises(UserError, match="hinge"):
        function("hinge")
