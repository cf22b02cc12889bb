"""One embedder shared by two inputs.

Source: R. Hadsell, S. Chopra, Y. LeCun, Dimensionality reduction by learning an invariant mapping, CVPR 2006.
"""

from __future__ import annotations

import keras

from tfretrieval.models.layers import PairDistance


def build_siamese(embedder: keras.Model) -> keras.Model:
    """(images, images), float [b, s, s, 3] in 0..255 each -> Euclidean distances float32 [b]."""
    shape = embedder.input_shape[1:]
    anchor, other = keras.Input(shape, name="anchor"), keras.Input(shape, name="other")
    distance = PairDistance(dtype="float32", name="distance")([embedder(anchor), embedder(other)])
    return keras.Model([anchor, other], distance, name="siamese")
