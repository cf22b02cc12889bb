"""Triplet network: three inputs share one embedder.

Source: F. Schroff, D. Kalenichenko, J. Philbin, FaceNet, CVPR 2015.
"""

from __future__ import annotations

import keras

from tfretrieval.models.layers import TripletDistances
from tfretrieval.models.siamese import branches


def build_triplet(embedder: keras.Model) -> keras.Model:
    """A network from anchors, positives and negatives to Euclidean distances float32 [b, 2].

    Inputs are images float [b, s, s, 3] in 0..255. Column 0 is the distance to the positive, column 1 to the negative.

    Args:
        embedder: see `build_embedder`; its weights are shared.
    """
    inputs, embeddings = branches(embedder, ["anchor", "positive", "negative"])
    distances = TripletDistances(dtype="float32", name="distances")(embeddings)
    return keras.Model(inputs, distances, name="triplet")
