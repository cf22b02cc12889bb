"""Tests of the TensorBoard logs."""

from __future__ import annotations

import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfretrieval.training.tensorboard import TensorBoardLog


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
