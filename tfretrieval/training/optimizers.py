"""Optimizers, with optional gradient accumulation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfretrieval.training.config import TrainConfig

CLIP_NORM = 1.0  # of each weight's gradient under SGD, so that one bad batch cannot ruin pretrained weights


def build_optimizer(config: TrainConfig) -> keras.optimizers.Optimizer:
    """The optimizer of a training configuration."""
    options: dict[str, Any] = {"use_ema": True, "ema_momentum": config.ema} if config.ema else {}
    if config.accumulate > 1:
        options["accumulate"] = config.accumulate
    if config.optimizer == "adam":
        adam = AccumulatingAdam if config.accumulate > 1 else keras.optimizers.Adam
        return adam(config.learning_rate, **options)
    sgd = AccumulatingSGD if config.accumulate > 1 else keras.optimizers.SGD
    return sgd(config.learning_rate, momentum=config.momentum, clipnorm=CLIP_NORM, **options)


def set_batches_per_epoch(network: keras.Model, batches: int) -> None:
    """Tell a network's optimizer the number of batches in an epoch.

    Accumulation then ends with each epoch, and an exponential moving average of the weights replaces them after its
    last step.
    """
    optimizer = getattr(network.optimizer, "inner_optimizer", network.optimizer)
    steps = batches
    if isinstance(optimizer, _Accumulating):
        optimizer.batches_per_epoch = batches
        steps = -(-batches // optimizer.accumulate)
    if optimizer.use_ema:
        optimizer.ema_overwrite_frequency = steps


class _Accumulating:
    """Takes a step on the mean gradient of `accumulate` batches; clipping and the moving average follow the step.

    Keras 2.15 has no gradient accumulation. That of Keras 3 updates the moving average every batch and carries
    gradients over into the next epoch.
    """

    def __init__(self, *args: Any, accumulate: int = 1, **options: Any) -> None:
        super().__init__(*args, **options)
        self.accumulate = accumulate
        self.batches_per_epoch = 0
        self._sums: list[tf.Variable] = []

    def apply_gradients(self, grads_and_vars: Any, *args: Any, **options: Any) -> Any:
        parent: Any = super()
        if hasattr(parent, "apply"):  # Keras 3, whose `apply_gradients` calls `apply`
            return parent.apply_gradients(grads_and_vars)
        gradients, weights = zip(*grads_and_vars)
        return self._accumulate(
            gradients, weights, lambda means: parent.apply_gradients(zip(means, weights), *args, **options)
        )

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        weights = trainable_variables or self._trainable_variables  # type: ignore[attr-defined]
        parent: Any = super()
        return self._accumulate(grads, weights, lambda means: parent.apply(means, weights))

    def _accumulate(self, gradients: Any, weights: Any, apply: Callable[[list[tf.Tensor]], Any]) -> tf.Tensor:
        if not self._sums:
            with tf.init_scope():
                self.build(list(weights))  # type: ignore[attr-defined]
                self._sums = [tf.Variable(tf.zeros(w.shape, w.dtype), trainable=False) for w in weights]
                self._n_batches = tf.Variable(0, trainable=False, dtype=tf.int64)
                self._n_summed = tf.Variable(0, trainable=False, dtype=tf.int64)
        for total, gradient in zip(self._sums, gradients):
            total.assign_add(tf.convert_to_tensor(gradient))
        self._n_batches.assign_add(1)
        self._n_summed.assign_add(1)
        epoch_ends = tf.equal(self._n_batches, self.batches_per_epoch)

        def step() -> tf.Tensor:
            apply([total / tf.cast(self._n_summed, total.dtype) for total in self._sums])
            for total in self._sums:
                total.assign(tf.zeros_like(total))
            return self._n_summed.assign(0)

        n_summed = tf.cond(
            tf.equal(self._n_summed, self.accumulate) | epoch_ends, step, lambda: tf.identity(self._n_summed)
        )
        self._n_batches.assign(tf.where(epoch_ends, tf.constant(0, tf.int64), self._n_batches))
        return n_summed

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "accumulate": self.accumulate}  # type: ignore[misc]


@keras.saving.register_keras_serializable("tfretrieval")
class AccumulatingSGD(_Accumulating, keras.optimizers.SGD):
    """SGD on the mean gradient of `accumulate` batches."""


@keras.saving.register_keras_serializable("tfretrieval")
class AccumulatingAdam(_Accumulating, keras.optimizers.Adam):
    """Adam on the mean gradient of `accumulate` batches."""
