"""An embedder in two parts: its backbone, and the head that maps features to embeddings."""

import keras

BACKBONE = "backbone"


def backbone_of(embedder: keras.Model) -> keras.Model:
    """The backbone, images float32 [b, s, s, 3] in 0..255 -> features [b, f]; it shares the embedder's weights."""
    return embedder.get_layer(BACKBONE)


def head_of(embedder: keras.Model) -> keras.Model:
    """The head, features float [b, f] -> embeddings float32 [b, d]; it shares the embedder's layers and name."""
    start = [layer.name for layer in embedder.layers].index(BACKBONE) + 1
    features = keras.Input(backbone_of(embedder).output_shape[1:], name="features")
    x = features
    for layer in embedder.layers[start:]:
        x = layer(x)
    return keras.Model(features, x, name=embedder.name)


def set_head_weights(embedder: keras.Model, head: keras.Model) -> None:
    """Copy the weights of a trained head (see `head_of`) into an embedder, in place."""
    for layer in head.layers:
        if layer.weights:
            embedder.get_layer(layer.name).set_weights(layer.get_weights())
