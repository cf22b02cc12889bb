"""An embedder with a classification head."""

import keras

from tfretrieval.errors import UserError
from tfretrieval.models.layers import CosineLogits

HEADS = ("cosine", "linear")


def build_classifier(embedder: keras.Model, n_classes: int, head: str = "cosine") -> keras.Model:
    """A network from images float32 [b, s, s, 3] in 0..255 to logits float32 [b, c].

    Args:
        embedder: see `build_embedder`; its weights are shared.
        n_classes: number of classes c.
        head: "cosine" for scaled cosines with class prototypes (`CosineLogits`), which matches retrieval by cosine
            distance; "linear" for a dense layer.

    Raises:
        UserError: the head is unknown.
    """
    images = keras.Input(embedder.input_shape[1:], name="images")
    if head == "cosine":
        layer = CosineLogits(n_classes, dtype="float32", name="head")
    elif head == "linear":
        # with zeros the gradient of the backbone starts at 0, so that an untrained head does not disturb its weights
        layer = keras.layers.Dense(n_classes, kernel_initializer="zeros", dtype="float32", name="head")
    else:
        raise UserError(f"unknown head {head!r}; use one of {', '.join(HEADS)}")
    return keras.Model(images, layer(embedder(images)), name="classifier")
