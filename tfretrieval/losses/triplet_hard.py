"""Triplet loss with the hardest positive and negative of each anchor."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfretrieval.losses.margin import MarginLoss
from tfretrieval.losses.pairwise import class_masks, pairwise_distances


@keras.saving.register_keras_serializable("tfretrieval")
class TripletHardLoss(MarginLoss):
    """max(max_p D(a, p) - min_n D(a, n) + m, 0), the mean over the anchors that have both.

    `y_true` is [b], the classes; `y_pred` is [b, d], the embeddings. A batch without a triplet costs 0.

    Args:
        margin: m; unused where `soft`.
        squared: compare squared distances.
        soft: log(1 + exp(x)) in place of max(x + m, 0).

    Raises:
        UserError: the margin is not above 0.

    Source: Hermans, Beyer, Leibe, In defense of the triplet loss, 2017, "batch hard", equation 5.
    """

    default_name = "triplet-hard"

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        distances = pairwise_distances(tf.convert_to_tensor(y_pred), self.squared)
        positive, negative = class_masks(y_true)
        farthest = tf.reduce_max(tf.where(positive, distances, 0.0), axis=1)
        nearest = tf.reduce_min(tf.where(negative, distances, distances.dtype.max), axis=1)
        usable = tf.reduce_any(positive, axis=1) & tf.reduce_any(negative, axis=1)
        gap = tf.where(usable, farthest - nearest, 0.0)
        costs = tf.where(usable, self.triplet_cost(gap), 0.0)
        return tf.math.divide_no_nan(tf.reduce_sum(costs), tf.reduce_sum(tf.cast(usable, costs.dtype)))
