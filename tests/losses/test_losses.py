"""Tests of the losses by name."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.data.batches import BalancedBatches, ImageBatches, PairBatches, TripletBatches
from tfretrieval.errors import UserError
from tfretrieval.losses import LOSSES, loss_spec
from tfretrieval.models.embedder import build_embedder


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "cross-entropy" and "addons" not in name])
def test_options_reach_the_loss(name):
    loss = loss_spec(name).build_loss(margin=0.2, squared=True, soft=True)
    assert (loss.margin, loss.squared, loss.soft) == (0.2, True, True)


def test_predictions_of_cross_entropy_are_logits():
    loss = loss_spec("cross-entropy").build_loss(margin=0.2, squared=True, soft=True)
    assert float(loss(np.array([1]), np.array([[0.0, 30.0]]))) == pytest.approx(0, abs=1e-6)
    assert float(loss(np.array([1]), np.array([[0.0, 0.0]]))) == pytest.approx(np.log(2))


def test_unknown_loss_is_an_error():
    with pytest.raises(UserError, match="hinge"):
        loss_spec("hinge")


@pytest.fixture(scope="module")
def embedder():
    return build_embedder("convnet", 16, 10)


@pytest.mark.parametrize(
    ("name", "batches", "n_inputs", "output_shape", "is_classifier"),
    [
        ("cross-entropy", ImageBatches, 1, (None, 3), True),
        ("contrastive", PairBatches, 2, (None, 1), False),
        ("triplet", TripletBatches, 3, (None, 2), False),
        ("triplet-hard", BalancedBatches, 1, (None, 10), False),
    ],
)
def test_a_loss_declares_its_batches_and_its_network(embedder, name, batches, n_inputs, output_shape, is_classifier):
    spec = LOSSES[name]
    network = spec.wrap(embedder, 3, "cosine")
    assert spec.batches is batches
    assert spec.is_classifier is is_classifier
    assert len(network.inputs) == n_inputs
    assert tuple(network.output_shape) == output_shape
