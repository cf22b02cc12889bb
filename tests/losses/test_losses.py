"""The losses by name."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.losses import BATCHES, METRIC_LOSSES, batches_for, make_loss


@pytest.mark.parametrize("name", METRIC_LOSSES)
def test_a_name_gives_its_loss_with_the_options(name):
    loss = make_loss(name, margin=0.2, squared=True, soft=True)
    assert type(loss) is METRIC_LOSSES[name]
    assert loss.name == name
    assert (loss.margin, loss.squared, loss.soft) == (0.2, True, True)


def test_every_loss_knows_its_batches():
    assert {name for name in BATCHES if "/" not in name} == {*METRIC_LOSSES, "cross-entropy"}
    assert batches_for("contrastive") == "pairs"


def test_cross_entropy_reads_logits():
    assert float(make_loss("cross-entropy")(np.array([1]), np.array([[0.0, 30.0]]))) == pytest.approx(0, abs=1e-6)


def test_an_unknown_name_lists_those_there_are():
    for ask in (make_loss, batches_for):
        with pytest.raises(UserError, match="no loss 'hinge'; there are cross-entropy, contrastive"):
            ask("hinge")
