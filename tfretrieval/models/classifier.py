"""An embedder with a classification head, to fine-tune it by cross-entropy."""

from __future__ import annotations

import keras

from tfretrieval.errors import UserError
from tfretrieval.models.layers import CosineLogits

HEADS = ("cosine", "linear")


def build_classifier(embedder: keras.Model, n_classes: int, head: str = "cosine") -> keras.Model:
    """Images float [b, s, s, 3] in 0..255 -> logits float32 [b, c].

    Args:
        embedder: see `build_embedder`.
        n_classes: c.
        head: "cosine" compares the embedding with a prototype of each class by their angle, as retrieval by cosine
            does; "linear" is a dense layer.

    Raises:
        UserError: no such head.
    """
    images = keras.Input(embedder.input_shape[1:], name="images")
    if head == "cosine":
        layer = CosineLogits(n_classes, dtype="float32", name="head")
    elif head == "linear":
        # A head of zeros sends no noise into pre-trained weights: their gradient grows as the head learns.
        layer = keras.layers.Dense(n_classes, kernel_initializer="zeros", dtype="float32", name="head")
    else:
        raise UserError(f"no head {head!r}; there are {', '.join(HEADS)}")
    return keras.Model(images, layer(embedder(images)), name="classifier")
