"""How far the vectors of one engine agree with those of another."""

from __future__ import annotations

import numpy as np

from tfretrieval.vectors import unit_rows


def cosines(vectors: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The cosine similarity of each row with its counterpart, float64 [n]; of two rows of zeros it is 1.

    >>> cosines(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[1.0, 1.0], [0.0, 0.0]])).round(3)
    array([0.707, 1.   ])
    """
    both_zero = ~(vectors.any(axis=1) | reference.any(axis=1))
    similarity = np.einsum("ij,ij->i", unit_rows(vectors), unit_rows(reference), dtype=np.float64)
    return np.where(both_zero, 1.0, np.clip(similarity, -1, 1))
