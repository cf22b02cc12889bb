"""The Euclidean distance, with a gradient that stays finite where two points coincide."""

from __future__ import annotations

import tensorflow as tf

_TINY = 1e-12


def safe_sqrt(squared: tf.Tensor) -> tf.Tensor:
    """The root of a tensor >= 0, any shape; 0 has the root 0 and the gradient 0, not infinity."""
    positive = squared > _TINY
    return tf.where(positive, tf.sqrt(tf.where(positive, squared, 1.0)), 0.0)
