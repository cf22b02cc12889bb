"""One embedder shared by two inputs, or more.

Source: R. Hadsell, S. Chopra, Y. LeCun, Dimensionality reduction by learning an invariant mapping, CVPR 2006.
"""

from __future__ import annotations

from typing import Any

import keras

from tfretrieval.models.layers import Branches, PairDistance


def build_siamese(embedder: keras.Model) -> keras.Model:
    """(images, images), float [b, s, s, 3] in 0..255 each -> Euclidean distances float32 [b]."""
    inputs, embeddings = branches(embedder, ["anchor", "other"])
    distance = PairDistance(dtype="float32", name="distance")(embeddings)
    return keras.Model(inputs, distance, name="siamese")


def branches(embedder: keras.Model, names: list[str]) -> tuple[list[Any], list[Any]]:
    """Inputs of these names and their embeddings; all of them go through the embedder as one batch."""
    inputs = [keras.Input(embedder.input_shape[1:], name=name) for name in names]
    together = keras.layers.Concatenate(axis=0, name="one_batch")(inputs)
    return inputs, Branches(len(names), name="branches")(embedder(together))
