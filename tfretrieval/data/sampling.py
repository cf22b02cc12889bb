"""Random rows of a batch, drawn in the graph by stateless operations keyed on (seed, epoch, step).

Draws are exact by construction, without rejection: a key gives the same rows on every machine, and a stream can start
at any step.
"""

import numpy as np
import tensorflow as tf

from tfretrieval.errors import UserError


def step_key(seed: int, epoch: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
    """Random key of one batch: int64 [2]."""
    key = tf.constant([seed, 0x7F4A7C15], tf.int64)
    fold = tf.random.experimental.stateless_fold_in
    return fold(fold(key, tf.cast(epoch, tf.int64)), tf.cast(step, tf.int64))


class ClassSampler:
    """Draws rows by class.

    Args:
        labels: int [n]; items with the label -1 are never drawn.
        class_names: names for error messages.

    Attributes:
        labels: int32 [n], a tensor.
        n_classes: number of classes that have items.

    Raises:
        UserError: there are fewer than two classes, or a class has a single item and thus no positive.
    """

    def __init__(self, labels: np.ndarray, class_names: tuple[str, ...] = ()) -> None:
        labels = np.asarray(labels)
        present, counts = np.unique(labels[labels >= 0], return_counts=True)
        if len(present) < 2:
            raise UserError(f"pairs and triplets need two classes or more; the training part has {len(present)}")
        if counts.min() < 2:
            lone = int(present[counts.argmin()])
            name = class_names[lone] if class_names else str(lone)
            raise UserError(f"class {name!r} has one training image; pairs and triplets need two or more a class")
        known = np.flatnonzero(labels >= 0)
        order = known[np.argsort(labels[known], kind="stable")]
        self.labels = tf.constant(labels, tf.int32)
        self.n_classes = len(present)
        self._rows = tf.constant(order, tf.int64)
        self._counts = tf.constant(counts, tf.int64)
        self._starts = tf.constant(np.cumsum(counts) - counts, tf.int64)

    def pairs(self, seed: tf.Tensor, batch_size: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Pairs that share a class with probability 1/2: rows int64 [b] twice, and whether they do, bool [b].

        Classes are drawn uniformly, then items uniformly within a class; a pair never repeats its anchor.
        """
        keys = _split(seed, 5)
        same = _below(2, keys[0], batch_size) == 1
        first = _below(self.n_classes, keys[1], batch_size)
        second = self._another_class(first, keys[2])
        position = _below(tf.gather(self._counts, first), keys[3], batch_size)
        anchor = self._row(first, position)
        other = tf.where(same, self._another_row(first, position, keys[4]), self._any_row(second, keys[4]))
        return anchor, other, same

    def triplets(self, seed: tf.Tensor, batch_size: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Rows of anchors, positives and negatives, each int64 [b], from two distinct classes, drawn uniformly.

        Anchor and positive are distinct items.
        """
        keys = _split(seed, 6)
        first = _below(self.n_classes, keys[0], batch_size)
        second = self._another_class(first, keys[1])
        keep_order = _below(2, keys[2], batch_size) == 1
        positive_class, negative_class = tf.where(keep_order, first, second), tf.where(keep_order, second, first)
        position = _below(tf.gather(self._counts, positive_class), keys[3], batch_size)
        anchor = self._row(positive_class, position)
        positive = self._another_row(positive_class, position, keys[4])
        return anchor, positive, self._any_row(negative_class, keys[5])

    def balanced(self, seed: tf.Tensor, n_classes: int, n_items: int) -> tf.Tensor:
        """P x K rows, int64 [P * K]: `n_items` distinct items of each of `n_classes` distinct classes.

        A class with fewer items repeats them in turn; with fewer classes the batch is smaller.
        """
        keys = _split(seed, 2)
        n_classes = min(n_classes, self.n_classes)
        classes = _distinct(tf.constant([self.n_classes], tf.int64), n_classes, keys[0])[0]
        positions = _distinct(tf.gather(self._counts, classes), n_items, keys[1])
        return tf.reshape(self._row(classes[:, None], positions), [-1])

    def _row(self, classes: tf.Tensor, positions: tf.Tensor) -> tf.Tensor:
        return tf.gather(self._rows, tf.gather(self._starts, classes) + positions)

    def _any_row(self, classes: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        return self._row(classes, _below(tf.gather(self._counts, classes), key, tf.shape(classes)[0]))

    def _another_row(self, classes: tf.Tensor, positions: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        counts = tf.gather(self._counts, classes)
        stride = 1 + _below(counts - 1, key, tf.shape(classes)[0])
        return self._row(classes, (positions + stride) % counts)

    def _another_class(self, classes: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        stride = 1 + _below(self.n_classes - 1, key, tf.shape(classes)[0])
        return (classes + stride) % self.n_classes


def shuffled_rows(n: int, seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """Random permutation of 0..n-1 for one epoch, int64 [n]."""
    key = step_key(seed, epoch, tf.constant(-1, tf.int64))
    return tf.random.experimental.stateless_shuffle(tf.range(n, dtype=tf.int64), key)


def _split(seed: tf.Tensor, n: int) -> list[tf.Tensor]:
    return tf.unstack(tf.random.experimental.stateless_split(seed, n))


def _below(limit: int | tf.Tensor, key: tf.Tensor, shape: int | tf.Tensor) -> tf.Tensor:
    """Uniform integers in [0, limit), int64 of the given shape; `limit` broadcasts to it.

    They are 63 random bits modulo the limit: exact for a power of two, biased by less than limit / 2^63 otherwise.
    """
    shape = tf.reshape(shape, [-1])
    bits = tf.random.stateless_uniform(shape, key, minval=0, maxval=tf.int64.max, dtype=tf.int64)
    return bits % tf.cast(limit, tf.int64)


def _distinct(limits: tf.Tensor, k: int, key: tf.Tensor) -> tf.Tensor:
    """K distinct integers below each limit, every subset equally likely: int64 [m] -> [m, k].

    A row whose limit is below k holds all integers and repeats them in turn. Source: R. W. Floyd in J. Bentley,
    Programming pearls: a sample of brilliance, Communications of the ACM 30(9), 1987.
    """
    size = tf.minimum(limits, k)[:, None]
    columns = tf.range(k, dtype=tf.int64)[None, :]
    highest = tf.minimum(limits[:, None] - size + columns, limits[:, None] - 1)
    drawn = _below(highest + 1, key, tf.shape(highest))
    chosen = drawn[:, :1]
    for column in range(1, k):
        candidate = drawn[:, column : column + 1]
        repeated = tf.reduce_any(chosen == candidate, axis=1, keepdims=True)
        chosen = tf.concat([chosen, tf.where(repeated, highest[:, column : column + 1], candidate)], axis=1)
    return tf.gather(chosen, columns % size, batch_dims=1)
