"""Detect a collapsed embedding, which maps every image to nearly the same point."""

from __future__ import annotations

import numpy as np

COLLAPSED = 0.01
ADVICE = (
    "the embedding has collapsed: the spread of its vectors is {spread:.2%} of their length; "
    "try a lower --learning-rate, --loss triplet-semihard or triplet-all, --normalize, or check the labels"
)


def spread(vectors: np.ndarray) -> float:
    """Root mean squared distance of vectors [n, d] to their mean, divided by their root mean squared length.

    Returns:
        0 for identical vectors, at most 1.

    >>> spread(np.array([[1.0, 0.0], [-1.0, 0.0]]))
    1.0
    """
    length = float(np.sqrt(np.mean(np.sum(np.square(vectors, dtype=np.float64), axis=1))))
    if length < 1e-6:
        return 0.0
    centered = vectors - vectors.mean(axis=0, dtype=np.float64)
    return float(np.sqrt(np.mean(np.sum(np.square(centered), axis=1)))) / length
