"""The optimizers of a run, and their form that averages the gradients of several batches before a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfretrieval.training.config import TrainConfig

CLIP_NORM = 1.0  # of each weight's gradient under SGD: one bad batch cannot wreck pre-trained weights


def build_optimizer(config: TrainConfig) -> keras.optimizers.Optimizer:
    """The optimizer that a configuration names."""
    options: dict[str, Any] = {"use_ema": True, "ema_momentum": config.ema} if config.ema else {}
    if config.accumulate > 1:
        options["accumulate"] = config.accumulate
    if config.optimizer == "adam":
        adam = AccumulatingAdam if config.accumulate > 1 else keras.optimizers.Adam
        return adam(config.learning_rate, **options)
    sgd = AccumulatingSGD if config.accumulate > 1 else keras.optimizers.SGD
    return sgd(config.learning_rate, momentum=config.momentum, clipnorm=CLIP_NORM, **options)


def begin_epochs_of(network: keras.Model, batches: int) -> None:
    """Tell the optimizer how many batches an epoch has.

    The last group of an epoch may be smaller, so that no gradient is carried into the next one; and the moving average
    of the weights, where one is kept, takes their place after the last step of an epoch.
    """
    optimizer = getattr(network.optimizer, "inner_optimizer", network.optimizer)
    steps = batches
    if isinstance(optimizer, _Accumulating):
        optimizer.batches_per_epoch = batches
        steps = -(-batches // optimizer.accumulate)
    if optimizer.use_ema:
        optimizer.ema_overwrite_frequency = steps


class _Accumulating:
    """Averages the gradients of `accumulate` batches, then takes one step; clipping and averages follow the step.

    Both Keras do the rest: Keras 3 has an accumulation of its own, which counts the moving average by batches and
    carries gradients over the end of an epoch; Keras 2.15 has none.
    """

    def __init__(self, *args: Any, accumulate: int = 1, **options: Any) -> None:
        super().__init__(*args, **options)
        self.accumulate = accumulate
        self.batches_per_epoch = 0
        self._sums: list[tf.Variable] = []

    def apply_gradients(self, grads_and_vars: Any, *args: Any, **options: Any) -> Any:
        above: Any = super()
        if hasattr(above, "apply"):  # Keras 3, which calls `apply` of this class
            return above.apply_gradients(grads_and_vars)
        gradients, weights = zip(*grads_and_vars)
        return self._collect(
            gradients, weights, lambda means: above.apply_gradients(zip(means, weights), *args, **options)
        )

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        weights = trainable_variables or self._trainable_variables  # type: ignore[attr-defined]
        above: Any = super()
        return self._collect(grads, weights, lambda means: above.apply(means, weights))

    def _collect(self, gradients: Any, weights: Any, apply: Callable[[list[tf.Tensor]], Any]) -> tf.Tensor:
        if not self._sums:
            with tf.init_scope():
                self.build(list(weights))  # type: ignore[attr-defined]
                self._sums = [tf.Variable(tf.zeros(w.shape, w.dtype), trainable=False) for w in weights]
                self._batch = tf.Variable(0, trainable=False, dtype=tf.int64)
                self._summed = tf.Variable(0, trainable=False, dtype=tf.int64)
        for total, gradient in zip(self._sums, gradients):
            total.assign_add(tf.convert_to_tensor(gradient))
        self._batch.assign_add(1)
        self._summed.assign_add(1)
        epoch_ends = tf.equal(self._batch, self.batches_per_epoch)

        def step() -> tf.Tensor:
            apply([total / tf.cast(self._summed, total.dtype) for total in self._sums])
            for total in self._sums:
                total.assign(tf.zeros_like(total))
            return self._summed.assign(0)

        summed = tf.cond(tf.equal(self._summed, self.accumulate) | epoch_ends, step, lambda: tf.identity(self._summed))
        self._batch.assign(tf.where(epoch_ends, tf.constant(0, tf.int64), self._batch))
        return summed

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "accumulate": self.accumulate}  # type: ignore[misc]


@keras.saving.register_keras_serializable("tfretrieval")
class AccumulatingSGD(_Accumulating, keras.optimizers.SGD):
    """Keras' SGD on the average gradient of `accumulate` batches."""


@keras.saving.register_keras_serializable("tfretrieval")
class AccumulatingAdam(_Accumulating, keras.optimizers.Adam):
    """Keras' Adam on the average gradient of `accumulate` batches."""
