"""Base class of the metric losses."""

from typing import Any

import keras
import tensorflow as tf

from tfretrieval.errors import UserError


class MarginLoss(keras.losses.Loss):
    """Base class of the metric losses.

    Args:
        margin: margin m, above 0.
        squared: compare squared distances.
        soft: the softplus log(1 + exp(x)), whose gradient never vanishes, in place of the hinge max(x, 0).

    Raises:
        UserError: the margin is not above 0.
    """

    def __init__(self, margin: float = 1.0, squared: bool = False, soft: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not margin > 0:
            raise UserError(f"margin must be above 0, not {margin}")
        self.margin = margin
        self.squared = squared
        self.soft = soft

    def hinge(self, x: tf.Tensor) -> tf.Tensor:
        """max(x, 0), or log(1 + exp(x)) if `soft`."""
        return tf.math.softplus(x) if self.soft else tf.maximum(x, 0.0)

    def triplet_loss(self, gaps: tf.Tensor) -> tf.Tensor:
        """Loss of gaps D(a, p) - D(a, n): max(gap + m, 0), or log(1 + exp(gap)) without a margin if `soft`."""
        return self.hinge(gaps if self.soft else gaps + self.margin)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "margin": self.margin, "squared": self.squared, "soft": self.soft}
