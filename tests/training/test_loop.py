"""Tests of the training loop; see also `test_fit.py`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.training.checkpoints import Checkpoints, TrainState
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.history import read_history
from tfretrieval.training.loop import TensorBoardLog, TrainingLoop
from tfretrieval.training.network import build_network
from tfretrieval.training.replicas import Replicas
from tfretrieval.training.retrieval_metrics import RetrievalMetrics

CONFIG = TrainConfig.for_recipe(
    "triplet", image_size=16, epochs=3, patience=2, classes_per_batch=3, images_per_class=2, steps_per_epoch=2
)


@pytest.fixture
def network():
    network = build_network(CONFIG, 3)
    network.optimizer.build(network.trainable_variables)
    return network


@pytest.fixture(scope="module")
def table(scenes):
    return ImageTable(Catalog.from_source(scenes).split("train"), 16)


def test_loop_trains_validates_and_writes_every_epoch(network, table, tmp_path):
    state, run = TrainState(), Run(tmp_path)
    before = [np.array(weights) for weights in network.get_weights()]
    TrainingLoop(network, state, CONFIG, run, Replicas()).fit(table, table)
    assert state.epochs_done == len(read_history(run.history_path)) >= 2
    row = read_history(run.history_path)[0]
    assert {"loss", "val_loss", "val_map", "val_precision_at_1", "spread"} <= set(row)
    assert (row["epoch"], row["learning_rate"]) == (1, 1e-3)
    assert row["seconds"] >= 0
    assert {path.name for path in run.logs.iterdir()} == {"train", "validation"}
    assert Checkpoints(run.checkpoints).latest()[1] == state
    assert any((a != b).any() for a, b in zip(before, network.get_weights()))


def test_loss_that_is_not_finite_is_an_error(table, tmp_path):
    config = dataclasses.replace(CONFIG, loss="cross-entropy", head="linear")
    network = build_network(config, 3)
    network.set_weights([np.full_like(weights, np.nan) for weights in network.get_weights()])
    with pytest.raises(UserError, match="loss"):
        TrainingLoop(network, TrainState(), config, Run(tmp_path), Replicas()).fit(table, None)
    assert not Run(tmp_path).history_path.exists()


def test_training_stops_when_patience_runs_out(network, table, tmp_path, monkeypatch):
    values = iter([0.5, 0.5, 0.4])
    monkeypatch.setattr(RetrievalMetrics, "measure", lambda self: {"val_map": next(values)})
    state = TrainState()
    config = dataclasses.replace(CONFIG, epochs=9)
    TrainingLoop(network, state, config, Run(tmp_path), Replicas()).fit(table, table)
    assert (state.epochs_done, state.best_epoch) == (3, 1)


def test_metrics_are_logged_by_epoch_in_train_and_validation(tmp_path):
    log = TensorBoardLog(tmp_path)
    log.write(1, {"loss": 2.0, "val_map": 0.25})
    log.write(2, {"loss": 1.0, "val_map": 0.5})
    for part, tag, expected in (("train", "epoch_loss", [2.0, 1.0]), ("validation", "epoch_map", [0.25, 0.5])):
        events = EventAccumulator(str(tmp_path / part))
        events.Reload()
        tensors = events.Tensors(tag)
        assert [event.step for event in tensors] == [1, 2]
        assert [float(tf.make_ndarray(event.tensor_proto)) for event in tensors] == expected
