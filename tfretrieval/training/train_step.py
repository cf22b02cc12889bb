"""One step of learning, on one replica or on many: always the step that one would take on the whole batch.

Every replica computes its share of a batch. Outputs are gathered, so that a loss that compares items sees all of them;
gradients are averaged; then each worker takes the same step. The replicas of a worker are copies of its network.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tfretrieval.training.replicas import Replicas

Figures = dict[str, float]


class Learner:
    """A compiled network (see `build_network`) and the steps it learns by.

    Args:
        network: it, with its loss and optimizer.
        stream: its batches, see `training_stream`.
        replicas: where it is computed.
        xla: compile the step with XLA.
    """

    def __init__(self, network: keras.Model, stream: tf.data.Dataset, replicas: Replicas, xla: bool = False) -> None:
        self._network = network
        self._replicas = replicas
        self._copies = [network, *replicas.more_copies(network)]
        network.optimizer.build(network.trainable_variables)
        self._counts_right = bool(network.name == "classifier")
        self._batches = iter(stream)
        self._compiled = tf.function(
            self._learn, [stream.element_spec], autograph=False, jit_compile=True if xla else None
        )

    def begin_epoch(self, learning_rate: float) -> None:
        """Set the learning rate, and give every worker the chief's weights and state of the optimizer.

        Raises:
            WorkerLost: another worker went away.
        """
        optimizer = self._network.optimizer
        optimizer.learning_rate = learning_rate
        self._replicas.spread([*self._network.variables, *optimizer.variables])

    def steps(self, count: int, after_each: Callable[[], None] = lambda: None) -> Figures:
        """Take so many steps: the mean `loss` of their items, and the `accuracy` of a classifier.

        Raises:
            WorkerLost: another worker went away.
        """
        sums = tf.zeros([3], tf.float64)
        with self._replicas.watched():
            for _ in range(count):
                sums += self._compiled(next(self._batches))
                after_each()
            loss, right, items = sums.numpy().tolist()
        figures = {"loss": loss / items}
        return {"accuracy": right / items, **figures} if self._counts_right else figures

    def _learn(self, shares: tuple[Any, ...]) -> tf.Tensor:
        """Learn from the local shares of a batch: sums of loss and right answers, and the items, float64 [3]."""
        for copy in self._copies[1:]:
            for one, other in zip(copy.variables, self._network.variables):
                one.assign(other)
        gradients, sums = self._replicas.run(self._computed, shares)
        optimizer, weights = self._network.optimizer, self._network.trainable_variables
        if hasattr(optimizer, "get_unscaled_gradients"):  # Keras 2.15 in float16
            gradients = optimizer.get_unscaled_gradients(gradients)
        optimizer.apply_gradients(zip(gradients, weights))
        return sums

    def _computed(self, place: int, share: Any) -> tuple[list[tf.Tensor], tf.Tensor]:
        """The gradients of the whole batch's loss and its figures, computed by local replica `place` from its share."""
        inputs, targets = share
        copy, optimizer = self._copies[place], self._network.optimizer
        with tf.GradientTape() as tape:
            with _joint_statistics(copy, self._replicas.count):
                outputs = copy(inputs, training=True)
            outputs, targets = self._replicas.gathered(outputs), self._replicas.gathered(targets)
            loss = tf.reduce_mean(self._network.loss.call(targets, outputs))
            if copy.losses:
                loss += tf.add_n(copy.losses)
            scale = getattr(optimizer, "scale_loss", getattr(optimizer, "get_scaled_loss", lambda loss: loss))
            scaled = scale(loss)
        unused = tf.UnconnectedGradients.ZERO
        gradients = self._replicas.mean(tape.gradient(scaled, copy.trainable_variables, unconnected_gradients=unused))
        items = tf.cast(tf.shape(targets)[0], tf.float64)
        right = tf.constant(0, tf.float64)
        if self._counts_right:
            chosen = tf.argmax(outputs, axis=1, output_type=targets.dtype)
            right = tf.reduce_sum(tf.cast(chosen == targets, tf.float64))
        return gradients, tf.stack([tf.cast(loss, tf.float64) * items, right, items])


@contextlib.contextmanager
def _joint_statistics(model: keras.Model, replicas: int) -> Iterator[None]:
    """Batch normalization that learns takes its statistics from all replicas where it is traced inside the block."""
    layers = [layer for layer in _normalizations(model) if layer.trainable] if replicas > 1 else []
    before = [(layer.synchronized, getattr(layer, "fused", None)) for layer in layers]
    for layer in layers:
        layer.synchronized, layer.fused = True, False
    try:
        yield
    finally:
        for layer, (synchronized, fused) in zip(layers, before):
            layer.synchronized, layer.fused = synchronized, fused


def _normalizations(model: keras.Model) -> Iterator[Any]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _normalizations(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            yield layer
