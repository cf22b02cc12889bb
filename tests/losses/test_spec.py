"""Tests of the loss specifications."""

from __future__ import annotations

import pytest

from tfretrieval.data.batches import BalancedBatches, ImageBatches, PairBatches, TripletBatches
from tfretrieval.losses import LOSSES
from tfretrieval.models.embedder import build_embedder


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
