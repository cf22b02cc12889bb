"""Contrastive loss on the distances of pairs."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfretrieval.losses.margin import MarginLoss


@keras.saving.register_keras_serializable("tfretrieval")
class ContrastiveLoss(MarginLoss):
    """y D^2 + (1 - y) max(m - D, 0)^2 for each pair, where y = 1 means the same class.

    `y_true` is [b] of 0 and 1; `y_pred` is [b], Euclidean distances D >= 0.

    Args:
        margin: m, beyond which pairs of different classes cost nothing.
        squared: compare squared distances with the margin: y D^2 + (1 - y) max(m - D^2, 0).
        soft: log(1 + exp(x)) in place of max(x, 0), so that far pairs still push a little.

    Raises:
        UserError: the margin is not above 0.

    Source: Hadsell, Chopra, LeCun, CVPR 2006, equation 4 without its factor 1/2.

    >>> loss = ContrastiveLoss(margin=1.0)
    >>> float(loss([1.0, 0.0], [0.5, 0.5]))
    0.25
    """

    default_name = "contrastive"

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        distances = tf.reshape(tf.convert_to_tensor(y_pred), [-1])
        same = tf.reshape(tf.cast(y_true, distances.dtype), [-1])
        squares = tf.square(distances)
        missing = self.hinge(self.margin - (squares if self.squared else distances))
        return same * squares + (1.0 - same) * (missing if self.squared else tf.square(missing))
