"""Tests of checkpoints and of the state of a training."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.training.checkpoints import Checkpoints, TrainState, save_model


@pytest.fixture
def network():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")], name="embedder")
    model.compile("adam", "mse")
    model.fit(np.ones((4, 3)), np.zeros((4, 2)), verbose=0)
    return model


def test_checkpoint_restores_weights_optimizer_and_state(tmp_path, network):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(network, network, TrainState(1, [{"epoch": 1, "loss": 0.5}], 1, 0.7))
    restored, state = checkpoints.latest()
    assert state == TrainState(1, [{"epoch": 1, "loss": 0.5}], 1, 0.7)
    assert int(restored.optimizer.iterations) == int(network.optimizer.iterations) > 0
    for batch in range(2):
        for model in (network, restored):
            model.fit(np.full((4, 3), batch + 1.0), np.zeros((4, 2)), verbose=0)
    for expected, actual in zip(network.get_weights(), restored.get_weights()):
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_latest_complete_checkpoint_is_restored(tmp_path, network):
    checkpoints = Checkpoints(tmp_path)
    for epoch in (9, 10):
        checkpoints.save(network, network, TrainState(epoch, [], epoch, 0.1))
    (tmp_path / ".tmp-1-epoch-0011").mkdir()
    assert checkpoints.latest()[1].epochs_done == 10


def test_older_checkpoints_are_deleted(tmp_path, network):
    checkpoints = Checkpoints(tmp_path)
    for epoch in (1, 2, 3):
        checkpoints.save(network, network, TrainState(epoch, [], min(epoch, 2), 0.1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best-0002.keras", "epoch-0003"]


def test_directory_without_checkpoints_has_no_latest_one(tmp_path):
    assert Checkpoints(tmp_path / "missing").latest() is None


def test_damaged_checkpoint_is_an_error_that_names_it(tmp_path, network):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(network, network, TrainState(1, [], 1, None))
    (tmp_path / "epoch-0001" / "network.keras").write_bytes(b"half")
    with pytest.raises(UserError, match="epoch-0001"):
        checkpoints.latest()


def test_failed_write_keeps_the_previous_model(tmp_path):
    class Broken:
        def save(self, path):
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    (tmp_path / "m.keras").write_bytes(b"before")
    with pytest.raises(UserError, match=r"m\.keras"):
        save_model(Broken(), tmp_path / "m.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]
    assert (tmp_path / "m.keras").read_bytes() == b"before"


def test_first_epoch_with_the_highest_monitor_is_the_best():
    state = TrainState()
    for epoch, value in enumerate((0.5, 0.7, 0.7, 0.6), start=1):
        state.add_epoch({"epoch": epoch, "val_map": value}, "val_map")
    assert (state.best_epoch, state.best_value, state.epochs_done) == (2, 0.7, 4)
    assert [state.is_out_of_patience(patience) for patience in (0, 1, 2, 3)] == [False, True, True, False]


def test_without_the_monitor_the_last_epoch_is_the_best():
    state = TrainState()
    for epoch in (1, 2, 3):
        state.add_epoch({"epoch": epoch, "loss": 1.0}, "val_map")
    assert (state.best_epoch, state.best_value) == (3, None)


def test_best_embedder_is_published(tmp_path, network):
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    state = TrainState(1, [], 1, 0.5)
    checkpoints.save(network, network, state)
    path = tmp_path / "model.keras"
    model = checkpoints.publish(state, path)
    for embedder in (model, keras.models.load_model(path)):
        np.testing.assert_array_equal(embedder(np.ones((2, 3))), network(np.ones((2, 3))))
    modified = path.stat().st_mtime_ns
    checkpoints.publish(state, path)
    assert path.stat().st_mtime_ns == modified
    network.set_weights([weights + 1 for weights in network.get_weights()])
    checkpoints.save(network, network, state)
    checkpoints.publish(state, path)
    np.testing.assert_array_equal(keras.models.load_model(path)(np.ones((2, 3))), network(np.ones((2, 3))))
