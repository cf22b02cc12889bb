"""Siamese network: two or more inputs share one embedder.

Source: R. Hadsell, S. Chopra, Y. LeCun, Dimensionality reduction by learning an invariant mapping, CVPR 2006.
"""

from __future__ import annotations

from typing import Any

import keras

from tfretrieval.models.layers import Branches, PairDistance


def build_siamese(embedder: keras.Model) -> keras.Model:
    """A network from two batches of images, float [b, s, s, 3] in 0..255, to Euclidean distances float32 [b].

    Args:
        embedder: see `build_embedder`; its weights are shared.
    """
    inputs, embeddings = branches(embedder, ["anchor", "other"])
    distance = PairDistance(dtype="float32", name="distance")(embeddings)
    return keras.Model(inputs, distance, name="siamese")


def branches(embedder: keras.Model, names: list[str]) -> tuple[list[Any], list[Any]]:
    """Inputs of the given names and their embeddings, computed as one concatenated batch."""
    inputs = [keras.Input(embedder.input_shape[1:], name=name) for name in names]
    batch = keras.layers.Concatenate(axis=0, name="one_batch")(inputs)
    return inputs, Branches(len(names), name="branches")(embedder(batch))
