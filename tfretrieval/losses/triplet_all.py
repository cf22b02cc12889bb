"""Triplet loss over all triplets inside a batch."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfretrieval.losses.margin import MarginLoss
from tfretrieval.losses.pairwise import class_masks, pairwise_distances


@keras.saving.register_keras_serializable("tfretrieval")
class TripletAllLoss(MarginLoss):
    """max(D(a, p) - D(a, n) + m, 0), the mean over all triplets of the batch that cost anything.

    `y_true` is [b], the classes; `y_pred` is [b, d], the embeddings. A batch without a triplet costs 0.

    Args:
        margin: m; unused where `soft`.
        squared: compare squared distances.
        soft: log(1 + exp(x)) in place of max(x + m, 0).

    Raises:
        UserError: the margin is not above 0.

    Source: Hermans, Beyer, Leibe, In defense of the triplet loss, 2017, "batch all", its mean over non-zero terms.
    """

    default_name = "triplet-all"

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        distances = pairwise_distances(tf.convert_to_tensor(y_pred), self.squared)
        positive, negative = class_masks(y_true)
        gaps = distances[:, :, None] - distances[:, None, :]
        costs = self.triplet_cost(gaps)
        costs = tf.where(positive[:, :, None] & negative[:, None, :], costs, 0.0)
        active = tf.math.count_nonzero(costs > 0.0, dtype=costs.dtype)
        return tf.math.divide_no_nan(tf.reduce_sum(costs), active)
