"""Tests of the training step on one replica and on several."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.network import build_network
from tfretrieval.training.optimizers import set_steps_per_epoch
from tfretrieval.training.replicas import Replicas
from tfretrieval.training.streams import training_stream
from tfretrieval.training.train_step import Learner

SCRIPT = Path(__file__).with_name("losses_of_steps.py")
SMALL = {"image_size": 16, "batch_size": 7}
CASES = [
    ["resnet", {**SMALL, "backbone": "convnet", "weights": "none", "accumulate": 2, "augment": "standard"}],
    ["triplet", {**SMALL, "classes_per_batch": 3, "images_per_class": 3}],
    ["siamese", SMALL],
    ["triplet", {**SMALL, "loss": "triplet"}],
]
NORMALIZING = ["resnet", {"backbone": "mobilenet_v2_0.35", "weights": "none", "image_size": 32, "batch_size": 7}]


@pytest.fixture
def losses(start_worker, free_ports, scenes):
    """A function that returns the losses [case, step] of each worker, in float64 because rounding errors grow."""

    def train(strategy: str, n_workers: int, cases: list) -> list[np.ndarray]:
        ports = free_ports(n_workers)
        command = [SCRIPT, strategy, "float64", scenes, json.dumps(cases)]
        results = []
        for process in [start_worker(ports, index, *command) for index in range(n_workers)]:
            out, err = process.communicate(timeout=300)
            assert process.returncode == 0, err
            results.append(np.array(json.loads(out)))
        return results

    return train


@pytest.mark.slow
def test_two_workers_or_two_devices_take_the_steps_of_one(losses):
    (single,) = losses("none", 1, CASES)
    first, second = losses("multi-worker", 2, CASES)
    (mirrored,) = losses("mirrored", 1, CASES)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, single, atol=1e-5)
    np.testing.assert_allclose(mirrored, single, atol=1e-5)
    assert (np.ptp(single, axis=1) > 1e-3).all(), "the loss changes"


@pytest.mark.slow
def test_batch_normalization_uses_the_statistics_of_all_workers(losses):
    (single,) = losses("none", 1, [NORMALIZING])
    first, second = losses("multi-worker", 2, [NORMALIZING])
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first[:, :3], single[:, :3], atol=1e-4)  # rounding errors grow later


def test_loss_and_accuracy_are_means_over_the_items_of_a_step(scenes):
    config = TrainConfig.for_recipe("triplet", loss="cross-entropy", image_size=16, batch_size=6, augment="none")
    table = ImageTable(Catalog.from_source(scenes).split("train"), 16)
    network = build_network(config, 3)
    stream, _ = training_stream(table, config)
    (images, labels), *_ = next(iter(stream))
    logits = network(np.asarray(images, np.float32)).numpy()
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    metrics = Learner(network, stream, Replicas(), with_accuracy=True).train_steps(1)
    assert metrics["loss"] == pytest.approx(-np.log(probabilities[np.arange(6), labels]).mean(), rel=1e-4)
    assert metrics["accuracy"] == pytest.approx(np.mean(logits.argmax(axis=1) == labels))


CONFIG = TrainConfig.for_recipe(
    "siamese", loss="cross-entropy", optimizer="sgd", head="linear", image_size=16, embedding_dim=4
)
IMAGES = np.random.default_rng(0).uniform(0, 255, (12, 16, 16, 3)).astype(np.float32)
LABELS = np.arange(12, dtype=np.int32) % 3


def trained(config: TrainConfig, batch_size: int, n_batches: int) -> keras.Model:
    """A network after two epochs."""
    keras.utils.set_random_seed(0)
    network = build_network(config, 3)
    batches = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(batch_size).repeat()
    stream = batches.map(lambda images, labels: ((images, labels),))
    set_steps_per_epoch(network, math.ceil(n_batches / config.accumulate))
    learner = Learner(network, stream, Replicas(), accumulate=config.accumulate)
    for _ in range(2):
        learner.train_steps(n_batches)
    return network


def assert_equal_weights(actual: keras.Model, expected: keras.Model) -> None:
    for a, b in zip(actual.get_weights(), expected.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-6)


@pytest.mark.parametrize("ema", [0.0, 0.5])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_three_accumulated_batches_equal_one_large_batch(optimizer, ema):
    config = dataclasses.replace(CONFIG, optimizer=optimizer, ema=ema)
    accumulated = trained(dataclasses.replace(config, accumulate=3), 2, 6)
    assert_equal_weights(accumulated, trained(config, 6, 2))
    assert int(np.asarray(accumulated.optimizer.iterations)) == 4


def test_last_group_of_accumulated_batches_may_be_smaller():
    accumulated = trained(dataclasses.replace(CONFIG, accumulate=4), 2, 6)  # groups of 4 and 2 batches
    keras.utils.set_random_seed(0)
    expected = build_network(CONFIG, 3)
    for _ in range(2):
        expected.train_on_batch(IMAGES[:8], LABELS[:8])
        expected.train_on_batch(IMAGES[8:], LABELS[8:])
    assert_equal_weights(accumulated, expected)
