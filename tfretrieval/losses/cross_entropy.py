"""Cross-entropy on logits."""

from __future__ import annotations

import keras


def cross_entropy(margin: float = 1.0, squared: bool = False, soft: bool = False) -> keras.losses.Loss:
    """Keras' sparse categorical cross-entropy on logits; the options of the metric losses have no effect."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
