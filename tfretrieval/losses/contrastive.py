"""Contrastive loss on the distances of pairs."""

import keras
import tensorflow as tf

from tfretrieval.losses.margin import MarginLoss


@keras.saving.register_keras_serializable("tfretrieval")
class ContrastiveLoss(MarginLoss):
    """Contrastive loss: y D^2 + (1 - y) max(m - D, 0)^2, where y = 1 means the same class.

    `y_true` is y, [b] of 0 and 1; `y_pred` is D, float [b], Euclidean distances >= 0.

    Args:
        margin: margin m, above 0; pairs of different classes beyond it have no loss.
        squared: compare squared distances with the margin: y D^2 + (1 - y) max(m - D^2, 0).
        soft: log(1 + exp(x)) in place of max(x, 0), so that distant pairs keep a small gradient.

    Raises:
        UserError: the margin is not above 0.

    Source: Hadsell, Chopra, LeCun, CVPR 2006, equation 4 without its factor 1/2.

    >>> loss = ContrastiveLoss(margin=1.0)
    >>> float(loss([1.0, 0.0], [0.5, 0.5]))
    0.25
    """

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        distances = tf.reshape(tf.convert_to_tensor(y_pred), [-1])
        same = tf.reshape(tf.cast(y_true, distances.dtype), [-1])
        squares = tf.square(distances)
        deficit = self.hinge(self.margin - (squares if self.squared else distances))
        return same * squares + (1.0 - same) * (deficit if self.squared else tf.square(deficit))
