"""What the metric losses share: a margin, squared distances and a soft hinge, each an option."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import tensorflow as tf

from tfretrieval.errors import UserError


class MarginLoss(keras.losses.Loss):
    """The base of the metric losses.

    Args:
        margin: m.
        squared: compare squared distances.
        soft: log(1 + exp(x)) in place of max(x, 0), so that what is far enough still pushes a little.

    Raises:
        UserError: the margin is not above 0.
    """

    default_name: ClassVar[str]

    def __init__(
        self, margin: float = 1.0, squared: bool = False, soft: bool = False, name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(name=name or self.default_name, **kwargs)
        if not margin > 0:
            raise UserError(f"the margin must be above 0, not {margin}")
        self.margin = margin
        self.squared = squared
        self.soft = soft

    def hinge(self, excess: tf.Tensor) -> tf.Tensor:
        """max(x, 0), or log(1 + exp(x)) where `soft`."""
        return tf.math.softplus(excess) if self.soft else tf.maximum(excess, 0.0)

    def triplet_cost(self, gap: tf.Tensor) -> tf.Tensor:
        """The cost of gaps D(a, p) - D(a, n): max(gap + m, 0), or log(1 + exp(gap)) without margin where `soft`."""
        return self.hinge(gap if self.soft else gap + self.margin)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "margin": self.margin, "squared": self.squared, "soft": self.soft}
