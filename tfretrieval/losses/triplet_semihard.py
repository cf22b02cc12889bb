"""Triplet loss on a semi-hard negative of each positive pair."""

import keras
import tensorflow as tf

from tfretrieval.losses.mining import MiningLoss


@keras.saving.register_keras_serializable("tfretrieval")
class TripletSemiHardLoss(MiningLoss):
    """Mean of max(D(a, p) - D(a, n) + m, 0) over all positive pairs of the batch.

    n is the nearest negative that is farther away than p, or the farthest negative if all are closer. `y_true` is [b],
    the classes; `y_pred` is float [b, d], the embeddings. A batch without triplets has the loss 0.

    Args:
        margin: margin m, above 0; not used if `soft`.
        squared: compare squared distances.
        soft: log(1 + exp(x)) in place of max(x + m, 0).

    Raises:
        UserError: the margin is not above 0.

    Source: Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015, section 3.2.
    """

    def mine(self, distances: tf.Tensor, positive: tf.Tensor, negative: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        to_positive, to_negative = distances[:, :, None], distances[:, None, :]
        is_farther = negative[:, None, :] & (to_negative > to_positive)
        nearest_farther = tf.reduce_min(tf.where(is_farther, to_negative, distances.dtype.max), axis=2)
        farthest = tf.reduce_max(tf.where(negative, distances, 0.0), axis=1, keepdims=True)
        chosen = tf.where(tf.reduce_any(is_farther, axis=2), nearest_farther, farthest)
        return distances - chosen, positive & tf.reduce_any(negative, axis=1, keepdims=True)
