"""The network that a configuration names."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.training.config import TrainConfig
from tfretrieval.training.network import build_network, embedder_of


@pytest.mark.parametrize(
    ("loss", "n_inputs", "output"),
    [
        ("cross-entropy", 1, (None, 3)),
        ("contrastive", 2, (None,)),
        ("triplet", 3, (None, 2)),
        ("triplet-hard", 1, (None, 10)),
    ],
)
def test_the_loss_decides_the_inputs(loss, n_inputs, output):
    network = build_network(TrainConfig.for_recipe("triplet", loss=loss, image_size=16), n_classes=3)
    assert len(network.inputs) == n_inputs
    assert tuple(network.output_shape) == output


@pytest.mark.parametrize("loss", ["cross-entropy", "contrastive", "triplet", "triplet-all"])
def test_the_embedder_shares_its_weights_with_the_network(loss):
    network = build_network(TrainConfig.for_recipe("triplet", loss=loss, image_size=16), n_classes=3)
    embedder = embedder_of(network)
    image = np.full((1, 16, 16, 3), 9, np.float32)
    before = np.asarray(embedder(image))
    weights = network.trainable_variables[0]
    weights.assign(weights * 2.0)
    assert np.abs(np.asarray(embedder(image)) - before).max() > 0


def test_sgd_and_adam():
    sgd = build_network(TrainConfig.for_recipe("siamese", optimizer="sgd", momentum=0.5, image_size=16), 3).optimizer
    adam = build_network(TrainConfig.for_recipe("siamese", image_size=16), 3).optimizer
    assert (sgd.momentum, type(sgd).__name__, type(adam).__name__) == (0.5, "SGD", "Adam")
    assert float(np.asarray(adam.learning_rate)) == pytest.approx(1e-3)
