"""Triplet loss on the hardest positive and negative of each anchor."""

import keras
import tensorflow as tf

from tfretrieval.losses.mining import MiningLoss


@keras.saving.register_keras_serializable("tfretrieval")
class TripletHardLoss(MiningLoss):
    """Mean of max(max_p D(a, p) - min_n D(a, n) + m, 0) over the anchors that have a positive and a negative.

    `y_true` is [b], the classes; `y_pred` is float [b, d], the embeddings. A batch without triplets has the loss 0.

    Args:
        margin: margin m, above 0; not used if `soft`.
        squared: compare squared distances.
        soft: log(1 + exp(x)) in place of max(x + m, 0).

    Raises:
        UserError: the margin is not above 0.

    Source: Hermans, Beyer, Leibe, In defense of the triplet loss, 2017, "batch hard", equation 5.
    """

    def mine(self, distances: tf.Tensor, positive: tf.Tensor, negative: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        farthest = tf.reduce_max(tf.where(positive, distances, 0.0), axis=1)
        nearest = tf.reduce_min(tf.where(negative, distances, distances.dtype.max), axis=1)
        return farthest - nearest, tf.reduce_any(positive, axis=1) & tf.reduce_any(negative, axis=1)
