"""Triplet loss on all triplets of a batch."""

from __future__ import annotations

import keras
import tensorflow as tf

from tfretrieval.losses.margin import MarginLoss
from tfretrieval.losses.pairwise import class_masks, pairwise_distances


@keras.saving.register_keras_serializable("tfretrieval")
class TripletAllLoss(MarginLoss):
    """Mean of max(D(a, p) - D(a, n) + m, 0) over all triplets of the batch whose loss is not 0.

    `y_true` is [b], the classes; `y_pred` is float [b, d], the embeddings. A batch without triplets has the loss 0.

    Args:
        margin: margin m, above 0; not used if `soft`.
        squared: compare squared distances.
        soft: log(1 + exp(x)) in place of max(x + m, 0).

    Raises:
        UserError: the margin is not above 0.

    Source: Hermans, Beyer, Leibe, In defense of the triplet loss, 2017, "batch all", mean over the non-zero terms.
    """

    default_name = "triplet-all"

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        distances = pairwise_distances(tf.convert_to_tensor(y_pred), self.squared)
        positive, negative = class_masks(y_true)
        gaps = distances[:, :, None] - distances[:, None, :]
        losses = self.triplet_loss(gaps)
        losses = tf.where(positive[:, :, None] & negative[:, None, :], losses, 0.0)
        n_active = tf.math.count_nonzero(losses > 0.0, dtype=losses.dtype)
        return tf.math.divide_no_nan(tf.reduce_sum(losses), n_active)
