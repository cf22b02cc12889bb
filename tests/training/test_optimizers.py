"""Tests of the optimizers and of gradient accumulation."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from tfretrieval.training.config import TrainConfig
from tfretrieval.training.network import build_network
from tfretrieval.training.optimizers import build_optimizer, set_batches_per_epoch

CONFIG = TrainConfig.for_recipe(
    "siamese", loss="cross-entropy", optimizer="sgd", head="linear", momentum=0.9, image_size=16, embedding_dim=4
)
IMAGES = np.random.default_rng(0).uniform(0, 255, (12, 16, 16, 3)).astype(np.float32)
LABELS = np.arange(12) % 3


def fitted(config: TrainConfig, batch_size: int, epochs: int = 2, batches: int | None = None) -> keras.Model:
    keras.utils.set_random_seed(0)
    network = build_network(config, 3)
    set_batches_per_epoch(network, batches or -(-len(IMAGES) // batch_size))
    network.fit(IMAGES, LABELS, batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0)
    return network


def assert_same_weights(actual: keras.Model, expected: keras.Model) -> None:
    for a, b in zip(actual.get_weights(), expected.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-6)


@pytest.mark.parametrize("ema", [0.0, 0.5])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_three_accumulated_batches_equal_one_large_batch(optimizer, ema):
    config = dataclasses.replace(CONFIG, optimizer=optimizer, ema=ema)
    start = build_network(config, 3)
    accumulated, large = fitted(dataclasses.replace(config, accumulate=3), 2), fitted(config, 6)
    assert_same_weights(accumulated, large)
    assert np.abs(accumulated.get_weights()[-2]).max() > 0 == np.abs(start.get_weights()[-2]).max()


def test_last_group_of_an_epoch_may_be_smaller():
    accumulated = fitted(dataclasses.replace(CONFIG, accumulate=4), 2, epochs=2)  # groups of 4 and 2 batches
    keras.utils.set_random_seed(0)
    expected = build_network(CONFIG, 3)
    for _ in range(2):
        expected.train_on_batch(IMAGES[:8], LABELS[:8])
        expected.train_on_batch(IMAGES[8:], LABELS[8:])
    assert_same_weights(accumulated, expected)


def test_weights_change_only_when_the_group_is_complete():
    keras.utils.set_random_seed(0)
    network = build_network(dataclasses.replace(CONFIG, accumulate=2), 3)
    set_batches_per_epoch(network, 2)
    before = network.get_weights()
    network.train_on_batch(IMAGES, LABELS)
    for a, b in zip(network.get_weights(), before):
        np.testing.assert_array_equal(a, b)
    network.train_on_batch(IMAGES, LABELS)
    assert np.abs(network.get_weights()[-2] - before[-2]).max() > 0


def test_saved_network_continues_to_accumulate(tmp_path):
    config = dataclasses.replace(CONFIG, accumulate=3)
    uninterrupted = fitted(config, 2, epochs=2)
    fitted(config, 2, epochs=1).save(tmp_path / "n.keras")
    resumed = keras.models.load_model(tmp_path / "n.keras")
    assert resumed.optimizer.accumulate == 3
    set_batches_per_epoch(resumed, 6)
    resumed.fit(IMAGES, LABELS, batch_size=2, epochs=1, shuffle=False, verbose=0)
    assert_same_weights(resumed, uninterrupted)


def test_optimizers_of_keras_are_used_without_accumulation():
    assert type(build_optimizer(CONFIG)) is keras.optimizers.SGD
    assert type(build_optimizer(dataclasses.replace(CONFIG, optimizer="adam"))) is keras.optimizers.Adam
