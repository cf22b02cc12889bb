"""The part of an embedder behind its backbone, as a model of its own on the backbone's features."""

from __future__ import annotations

import keras

BACKBONE = "backbone"


def backbone_of(embedder: keras.Model) -> keras.Model:
    """Images float [b, s, s, 3] in 0..255 -> features [b, f]; shares the embedder's weights."""
    return embedder.get_layer(BACKBONE)


def head_of(embedder: keras.Model) -> keras.Model:
    """Features float [b, f] -> embeddings float32 [b, d]; shares the embedder's layers and name."""
    after = [layer.name for layer in embedder.layers].index(BACKBONE) + 1
    features = keras.Input(backbone_of(embedder).output_shape[1:], name="features")
    x = features
    for layer in embedder.layers[after:]:
        x = layer(x)
    return keras.Model(features, x, name=embedder.name)


def put_head(embedder: keras.Model, head: keras.Model) -> None:
    """Give an embedder the weights of a head that was made by `head_of` and trained, in place."""
    for layer in head.layers:
        if layer.weights:
            embedder.get_layer(layer.name).set_weights(layer.get_weights())
