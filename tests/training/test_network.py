"""Tests of the network of a training run."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from tfretrieval.training.config import TrainConfig
from tfretrieval.training.network import build_network, embedder_of
from tfretrieval.training.optimizers import set_steps_per_epoch


@pytest.mark.parametrize(
    ("loss", "n_inputs", "output"),
    [
        ("cross-entropy", 1, (None, 3)),
        ("contrastive", 2, (None, 1)),
        ("triplet", 3, (None, 2)),
        ("triplet-hard", 1, (None, 10)),
    ],
)
def test_loss_determines_inputs_and_output(loss, n_inputs, output):
    network = build_network(TrainConfig.for_recipe("triplet", loss=loss, image_size=16), n_classes=3)
    assert len(network.inputs) == n_inputs
    assert tuple(network.output_shape) == output


@pytest.mark.parametrize("loss", ["cross-entropy", "contrastive", "triplet", "triplet-all"])
def test_embedder_shares_the_weights_of_the_network(loss):
    network = build_network(TrainConfig.for_recipe("triplet", loss=loss, image_size=16), n_classes=3)
    embedder = embedder_of(network)
    image = np.full((1, 16, 16, 3), 9, np.float32)
    before = np.asarray(embedder(image))
    weights = network.trainable_variables[0]
    weights.assign(weights * 2.0)
    assert np.abs(np.asarray(embedder(image)) - before).max() > 0


def test_optimizer_has_the_configured_options():
    sgd = build_network(TrainConfig.for_recipe("siamese", optimizer="sgd", momentum=0.5, image_size=16), 3).optimizer
    adam = build_network(TrainConfig.for_recipe("siamese", image_size=16), 3).optimizer
    assert (sgd.momentum, type(sgd).__name__, type(adam).__name__) == (0.5, "SGD", "Adam")
    assert float(np.asarray(adam.learning_rate)) == pytest.approx(1e-3)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_moving_average_replaces_the_weights_after_each_epoch(optimizer):
    config = TrainConfig.for_recipe("siamese", loss="cross-entropy", optimizer=optimizer, ema=0.5, image_size=16)
    images, labels = np.random.default_rng(0).uniform(0, 255, (6, 16, 16, 3)), np.array([0, 1, 2, 0, 1, 2])
    weights = {}
    for averaged in (True, False):
        keras.utils.set_random_seed(0)
        network = build_network(dataclasses.replace(config, ema=0.5 if averaged else 0.0), 3)
        set_steps_per_epoch(network, 2)
        recorder = WeightRecorder()
        network.fit(images, labels, batch_size=3, epochs=1, shuffle=False, verbose=0, callbacks=[recorder])
        weights[averaged] = recorder.history
    (start, first, last), (_, _, average) = weights[False], weights[True]
    initial = (first, 0.5 * start + 0.5 * first)  # Keras 3 starts the average after the first step, Keras 2 before
    assert any(np.allclose(average, 0.5 * value + 0.5 * last, rtol=1e-3, atol=2e-5) for value in initial)
    assert np.abs(last - first).max() > 5e-4


class WeightRecorder(keras.callbacks.Callback):
    """Records the weights of the head before training and after every step."""

    def on_train_begin(self, logs=None):
        self.history = [self.model.get_layer("head").get_weights()[0]]

    def on_train_batch_end(self, batch, logs=None):
        self.history.append(self.model.get_layer("head").get_weights()[0])
