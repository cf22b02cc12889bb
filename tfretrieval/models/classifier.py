"""An embedder with a classification head, to fine-tune it by cross-entropy."""

from __future__ import annotations

import keras


def build_classifier(embedder: keras.Model, n_classes: int) -> keras.Model:
    """Images float [b, s, s, 3] in 0..255 -> logits float32 [b, c]."""
    images = keras.Input(embedder.input_shape[1:], name="images")
    # A head of zeros sends no noise into pre-trained weights: their gradient grows as the head learns.
    head = keras.layers.Dense(n_classes, kernel_initializer="zeros", dtype="float32", name="head")
    logits = head(embedder(images))
    return keras.Model(images, logits, name="classifier")
