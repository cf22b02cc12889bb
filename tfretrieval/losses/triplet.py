"""Triplet loss on explicit triplets."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from tfretrieval.losses.pairwise import check_margin, hinge


@keras.saving.register_keras_serializable("tfretrieval")
class TripletLoss(keras.losses.Loss):
    """max(D(a, p) - D(a, n) + m, 0) for each triplet.

    `y_pred` is [b, 2], the distances to the positive and to the negative; `y_true` is not read.


    Args:
        margin: m; unused where `soft`.
        squared: compare squared distances.
        soft: log(1 + exp(x)) in place of max(x + m, 0).

    Raises:
        UserError: the margin is not above 0.

    Source: Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015, equation 2; soft: Hermans, Beyer, Leibe, 2017.

    >>> loss = TripletLoss(margin=1.0)
    >>> float(loss([0.0], [[0.5, 1.0]]))
    0.5
    """

    def __init__(
        self,
        margin: float = 1.0,
        squared: bool = False,
        soft: bool = False,
        name: str = "triplet",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.margin = check_margin(margin)
        self.squared = squared
        self.soft = soft

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        distances = tf.convert_to_tensor(y_pred)
        if self.squared:
            distances = tf.square(distances)
        gap = distances[:, 0] - distances[:, 1]
        return hinge(gap if self.soft else gap + self.margin, self.soft)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "margin": self.margin, "squared": self.squared, "soft": self.soft}
