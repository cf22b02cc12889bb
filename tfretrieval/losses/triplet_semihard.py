"""Triplet loss on a semi-hard negative of each positive pair."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfretrieval.losses.margin import MarginLoss
from tfretrieval.losses.pairwise import class_masks, pairwise_distances


@keras.saving.register_keras_serializable("tfretrieval")
class TripletSemiHardLoss(MarginLoss):
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

    default_name = "triplet-semihard"

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        distances = pairwise_distances(tf.convert_to_tensor(y_pred), self.squared)
        positive, negative = class_masks(y_true)
        to_positive, to_negative = distances[:, :, None], distances[:, None, :]
        is_farther = negative[:, None, :] & (to_negative > to_positive)
        nearest_farther = tf.reduce_min(tf.where(is_farther, to_negative, distances.dtype.max), axis=2)
        farthest = tf.reduce_max(tf.where(negative, distances, 0.0), axis=1, keepdims=True)
        chosen = tf.where(tf.reduce_any(is_farther, axis=2), nearest_farther, farthest)
        is_used = positive & tf.reduce_any(negative, axis=1, keepdims=True)
        gaps = tf.where(is_used, distances - chosen, 0.0)
        losses = tf.where(is_used, self.triplet_loss(gaps), 0.0)
        return tf.math.divide_no_nan(tf.reduce_sum(losses), tf.reduce_sum(tf.cast(is_used, losses.dtype)))
