"""Cosine similarity of the vectors of two engines."""

from __future__ import annotations

import numpy as np

from tfretrieval.vectors import unit_rows


def cosines(vectors: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Cosine similarity of corresponding rows.

    Args:
        vectors: float [n, d].
        reference: float [n, d].

    Returns:
        float64 [n] in -1..1; 1 where both rows are zero.

    >>> cosines(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[1.0, 1.0], [0.0, 0.0]])).round(3)
    array([0.707, 1.   ])
    """
    both_zero = ~(vectors.any(axis=1) | reference.any(axis=1))
    similarity = np.einsum("ij,ij->i", unit_rows(vectors), unit_rows(reference), dtype=np.float64)
    return np.where(both_zero, 1.0, np.clip(similarity, -1, 1))
