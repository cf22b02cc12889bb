"""An embedder with a classification head, to fine-tune it by cross-entropy."""

from __future__ import annotations

import keras


def build_classifier(embedder: keras.Model, n_classes: int) -> keras.Model:
    """Images float [b, s, s, 3] in 0..255 -> logits float32 [b, c]."""
    images = keras.Input(embedder.input_shape[1:], name="images")
    logits = keras.layers.Dense(n_classes, dtype="float32", name="head")(embedder(images))
    return keras.Model(images, logits, name="classifier")
