"""Base class of the losses that mine triplets within a batch."""

from abc import abstractmethod

import tensorflow as tf

from tfretrieval.losses.margin import MarginLoss
from tfretrieval.models.layers import safe_sqrt


class MiningLoss(MarginLoss):
    """Mean triplet loss of the triplets that a subclass mines within a batch.

    `y_true` is [b], the classes; `y_pred` is float [b, d], the embeddings. A batch without triplets has the loss 0.
    """

    mean_over_nonzero = False  # whether triplets whose loss is 0 are left out of the mean

    @abstractmethod
    def mine(self, distances: tf.Tensor, positive: tf.Tensor, negative: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mine triplets.

        Args:
            distances: distances of all pairs, float [b, b].
            positive: mask of the positive pairs, bool [b, b].
            negative: mask of the negative pairs, bool [b, b].

        Returns:
            Gaps D(a, p) - D(a, n), and a mask of the gaps that belong to triplets, of the same shape.
        """

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        distances = pairwise_distances(tf.convert_to_tensor(y_pred), self.squared)
        gaps, mask = self.mine(distances, *class_masks(y_true))
        losses = tf.where(mask, self.triplet_loss(tf.where(mask, gaps, 0.0)), 0.0)
        counted = losses > 0.0 if self.mean_over_nonzero else mask
        return tf.math.divide_no_nan(tf.reduce_sum(losses), tf.math.count_nonzero(counted, dtype=losses.dtype))


def pairwise_distances(embeddings: tf.Tensor, squared: bool = False) -> tf.Tensor:
    """Euclidean or squared Euclidean distances of all pairs: float [b, d] -> [b, b], 0 on the diagonal."""
    norms = tf.reduce_sum(tf.square(embeddings), axis=1)
    products = tf.matmul(embeddings, embeddings, transpose_b=True)
    squares = tf.maximum(norms[:, None] - 2.0 * products + norms[None, :], 0.0)
    squares *= 1.0 - tf.eye(tf.shape(embeddings)[0], dtype=embeddings.dtype)
    return squares if squared else safe_sqrt(squares)


def class_masks(labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Masks of the positive pairs (two items of one class) and the negative pairs: labels [b] -> bool [b, b] each."""
    labels = tf.reshape(labels, [-1])
    same = labels[:, None] == labels[None, :]
    return same & ~tf.eye(tf.size(labels), dtype=tf.bool), ~same
