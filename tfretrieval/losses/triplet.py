"""Triplet loss on explicit triplets."""

import keras
import tensorflow as tf

from tfretrieval.losses.margin import MarginLoss


@keras.saving.register_keras_serializable("tfretrieval")
class TripletLoss(MarginLoss):
    """Triplet loss: max(D(a, p) - D(a, n) + m, 0).

    `y_pred` is float [b, 2], the distances to the positive and to the negative; `y_true` is ignored.

    Args:
        margin: margin m, above 0; not used if `soft`.
        squared: compare squared distances.
        soft: log(1 + exp(x)) in place of max(x + m, 0).

    Raises:
        UserError: the margin is not above 0.

    Source: Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015, equation 2; soft: Hermans, Beyer, Leibe, 2017.

    >>> loss = TripletLoss(margin=1.0)
    >>> float(loss([0.0], [[0.5, 1.0]]))
    0.5
    """

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        distances = tf.convert_to_tensor(y_pred)
        if self.squared:
            distances = tf.square(distances)
        return self.triplet_loss(distances[:, 0] - distances[:, 1])
