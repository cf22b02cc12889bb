"""Telling that an embedding has collapsed: every image in nearly the same place."""

from __future__ import annotations

import numpy as np

COLLAPSED = 0.01
ADVICE = (
    "the embedding has collapsed: its vectors spread over {spread:.2%} of their length. "
    "Try a lower --learning-rate, --loss triplet-semihard or triplet-all, --normalize, or look for wrong labels"
)


def spread(vectors: np.ndarray) -> float:
    """How far vectors [n, d] lie from their mean, as a share of their length: 0 (one point) to 1.

    The root of the mean squared distance to the mean over the root of the mean squared length.

    >>> spread(np.array([[1.0, 0.0], [-1.0, 0.0]]))
    1.0
    """
    length = float(np.sqrt(np.mean(np.sum(np.square(vectors, dtype=np.float64), axis=1))))
    if length < 1e-6:
        return 0.0
    centerd = vectors - vectors.mean(axis=0, dtype=np.float64)
    return float(np.sqrt(np.mean(np.sum(np.square(centerd), axis=1)))) / length
