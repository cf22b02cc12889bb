"""The state of a training on disk."""

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


def test_weights_and_optimizer_come_back(tmp_path, network):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(network, network, TrainState(1, [{"epoch": 1, "loss": 0.5}], 1, 0.7))
    restored, state = checkpoints.latest()
    assert state == TrainState(1, [{"epoch": 1, "loss": 0.5}], 1, 0.7)
    assert int(restored.optimizer.iterations) == int(network.optimizer.iterations) > 0
    for batch in range(2):
        for model in (network, restored):
            model.fit(np.full((4, 3), batch + 1.0), np.zeros((4, 2)), verbose=0)
    for one, other in zip(network.get_weights(), restored.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_the_newest_whole_epoch_counts(tmp_path, network):
    checkpoints = Checkpoints(tmp_path)
    for epoch in (9, 10):
        checkpoints.save(network, network, TrainState(epoch, [], epoch, 0.1))
    (tmp_path / ".tmp-1-epoch-0011").mkdir()
    assert checkpoints.latest()[1].epochs_done == 10


def test_only_the_last_state_and_the_best_model_are_kept(tmp_path, network):
    checkpoints = Checkpoints(tmp_path)
    for epoch in (1, 2, 3):
        checkpoints.save(network, network, TrainState(epoch, [], min(epoch, 2), 0.1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best-0002.keras", "epoch-0003"]


def test_no_checkpoint(tmp_path):
    assert Checkpoints(tmp_path / "none").latest() is None


def test_a_damaged_checkpoint_is_named(tmp_path, network):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(network, network, TrainState(1, [], 1, None))
    (tmp_path / "epoch-0001" / "network.keras").write_bytes(b"half")
    with pytest.raises(UserError, match="epoch-0001 is damaged"):
        checkpoints.latest()


def test_a_model_is_written_whole_or_not_at_all(tmp_path):
    class Broken:
        def save(self, path):
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    (tmp_path / "m.keras").write_bytes(b"before")
    with pytest.raises(UserError, match="No space left"):
        save_model(Broken(), tmp_path / "m.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]
    assert (tmp_path / "m.keras").read_bytes() == b"before"
