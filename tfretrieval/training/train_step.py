"""The training step, on one replica or many, always equal to a step on the whole batch.

Each replica computes a shard of the batch. Outputs are gathered, so that losses on whole batches see every item;
gradients are averaged, and every worker takes the same optimizer step. The replicas of a worker are copies of its
network.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tfretrieval.training.replicas import Replicas


class Learner:
    """Trains a compiled network (see `build_network`).

    Args:
        network: network with its loss and optimizer.
        stream: batches, see `training_stream`.
        replicas: replicas that compute each batch.
        with_accuracy: whether to report the accuracy of a classifier.
        xla: compile the step with XLA.
        accumulate: number of batches whose gradients are averaged before an optimizer step.
    """

    def __init__(
        self,
        network: keras.Model,
        stream: tf.data.Dataset,
        replicas: Replicas,
        with_accuracy: bool = False,
        xla: bool = False,
        accumulate: int = 1,
    ) -> None:
        self._network = network
        self._replicas = replicas
        self._copies = [network, *replicas.clones(network)]
        network.optimizer.build(network.trainable_variables)
        self._with_accuracy = with_accuracy
        self._accumulate = accumulate
        self._gradient_sums: list[tf.Variable] = []
        if accumulate > 1:
            weights = network.trainable_variables
            self._gradient_sums = [tf.Variable(tf.zeros(w.shape, w.dtype), trainable=False) for w in weights]
        self._batches = iter(stream)
        graph = functools.partial(tf.function, autograph=False, jit_compile=True if xla else None)
        self._step = graph(self._train_step, [stream.element_spec])
        self._apply_accumulated = graph(self._apply_mean, [tf.TensorSpec([], tf.int32)])

    def begin_epoch(self, learning_rate: float) -> None:
        """Set the learning rate, and give every worker the chief's weights and optimizer state.

        Raises:
            WorkerLost: another worker failed.
        """
        optimizer = self._network.optimizer
        optimizer.learning_rate = learning_rate
        self._replicas.broadcast([*self._network.variables, *optimizer.variables])

    def train_steps(self, n: int, on_step_end: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Train on n batches and return the mean "loss", and the "accuracy" of a classifier, over their items.

        The last group of accumulated batches may be smaller.

        Raises:
            WorkerLost: another worker failed.
        """
        sums = tf.zeros([3], tf.float64)
        with self._replicas.detecting_lost_workers():
            for i in range(n):
                sums += self._step(next(self._batches))
                n_accumulated = i % self._accumulate + 1
                if self._gradient_sums and (n_accumulated == self._accumulate or i + 1 == n):
                    self._apply_accumulated(tf.constant(n_accumulated))
                on_step_end()
            loss, n_correct, n_items = sums.numpy().tolist()
        accuracy = {"accuracy": n_correct / n_items} if self._with_accuracy else {}
        return {**accuracy, "loss": loss / n_items}

    def _train_step(self, shards: tuple[Any, ...]) -> tf.Tensor:
        """Train on the local shards of a batch; sum of losses, correct predictions and items: float64 [3]."""
        for copy in self._copies[1:]:
            for variable, value in zip(copy.variables, self._network.variables):
                variable.assign(value)
        gradients, sums = self._replicas.run(self._gradients, shards)
        if self._gradient_sums:
            for total, gradient in zip(self._gradient_sums, gradients):
                total.assign_add(gradient)
        else:
            self._apply(gradients)
        return sums

    def _apply_mean(self, n_batches: tf.Tensor) -> None:
        self._apply([total / tf.cast(n_batches, total.dtype) for total in self._gradient_sums])
        for total in self._gradient_sums:
            total.assign(tf.zeros_like(total))

    def _apply(self, gradients: list[tf.Tensor]) -> None:
        optimizer = self._network.optimizer
        if hasattr(optimizer, "get_unscaled_gradients"):  # Keras 2.15 in float16
            gradients = optimizer.get_unscaled_gradients(gradients)
        optimizer.apply_gradients(zip(gradients, self._network.trainable_variables))

    def _gradients(self, replica: int, shard: Any) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Gradients of the whole batch's loss, from the shard of one local replica, and the sums of `_train_step`."""
        inputs, targets = shard
        copy, optimizer = self._copies[replica], self._network.optimizer
        with tf.GradientTape() as tape:
            with _synchronized_batch_normalization(copy, self._replicas.count):
                outputs = copy(inputs, training=True)
            outputs, targets = self._replicas.all_gather(outputs), self._replicas.all_gather(targets)
            loss = tf.reduce_mean(self._network.loss.call(targets, outputs))
            if copy.losses:
                loss += tf.add_n(copy.losses)
            scale = getattr(optimizer, "scale_loss", getattr(optimizer, "get_scaled_loss", lambda loss: loss))
            scaled_loss = scale(loss)
        gradients = tape.gradient(
            scaled_loss, copy.trainable_variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        n_items = tf.cast(tf.shape(targets)[0], tf.float64)
        n_correct = tf.constant(0, tf.float64)
        if self._with_accuracy:
            predicted = tf.argmax(outputs, axis=1, output_type=targets.dtype)
            n_correct = tf.reduce_sum(tf.cast(predicted == targets, tf.float64))
        sums = tf.stack([tf.cast(loss, tf.float64) * n_items, n_correct, n_items])
        return self._replicas.all_reduce_mean(gradients), sums


@contextlib.contextmanager
def _synchronized_batch_normalization(model: keras.Model, n_replicas: int) -> Iterator[None]:
    """Trace trainable batch normalization with the statistics of all replicas inside the block."""
    layers = model._flatten_layers() if n_replicas > 1 else []
    layers = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable]
    previous = [(layer.synchronized, getattr(layer, "fused", None)) for layer in layers]
    for layer in layers:
        layer.synchronized, layer.fused = True, False
    try:
        yield
    finally:
        for layer, (synchronized, fused) in zip(layers, previous):
            layer.synchronized, layer.fused = synchronized, fused
