"""Triplet loss with the hardest positive and negative of each anchor."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfretrieval.losses.pairwise import check_margin, class_masks, hinge, pairwise_distances


@keras.saving.register_keras_serializable("tfretrieval")
class TripletHardLoss(keras.losses.Loss):
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

    def __init__(
        self,
        margin: float = 1.0,
        squared: bool = False,
        soft: bool = False,
        name: str = "triplet-hard",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.margin = check_margin(margin)
        self.squared = squared
        self.soft = soft

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        distances = pairwise_distances(tf.convert_to_tensor(y_pred), self.squared)
        positive, negative = class_masks(y_true)
        farthest = tf.reduce_max(tf.where(positive, distances, 0.0), axis=1)
        nearest = tf.reduce_min(tf.where(negative, distances, distances.dtype.max), axis=1)
        usable = tf.reduce_any(positive, axis=1) & tf.reduce_any(negative, axis=1)
        gap = tf.where(usable, farthest - nearest, 0.0)
        costs = tf.where(usable, hinge(gap if self.soft else gap + self.margin, self.soft), 0.0)
        return tf.math.divide_no_nan(tf.reduce_sum(costs), tf.reduce_sum(tf.cast(usable, costs.dtype)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "margin": self.margin, "squared": self.squared, "soft": self.soft}
