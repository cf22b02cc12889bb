"""Validate, normalize and compare vectors."""

from typing import Any

import numpy as np

from tfretrieval.errors import UserError

LARGEST = 1e15


def checked_vectors(vectors: Any, what: str = "vectors", dim: int | None = None) -> np.ndarray:
    """Convert vectors to float32 [n, d] in C order, without a copy if they already are.

    Args:
        vectors: numbers [n, d] between -1e15 and 1e15, so that squared distances are finite.
        what: name of the vectors in error messages.
        dim: required d, if any.

    Raises:
        UserError: the vectors are not numbers, not two-dimensional, not finite, too large, or of another d.

    >>> checked_vectors([[1, 2]]).dtype
    dtype('float32')
    """
    try:
        array = np.asarray(vectors)
        if array.dtype.kind not in "fiub":
            raise TypeError
    except (TypeError, ValueError):
        raise UserError(f"the {what} must be numbers in an array of shape [n, d]") from None
    if array.ndim != 2 or not array.shape[1]:
        raise UserError(f"the {what} must have the shape [n, d], not {list(array.shape)}")
    if dim is not None and array.shape[1] != dim:
        raise UserError(f"the {what} must have {dim} dimensions, not {array.shape[1]}")
    if array.size and not (array.max() <= LARGEST and array.min() >= -LARGEST):
        raise UserError(f"the {what} contain NaN, infinity or values beyond {LARGEST:g}")
    return np.ascontiguousarray(array, dtype=np.float32)


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """L2-normalize rows: float [n, d] -> float32 [n, d]; a zero row stays zero.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).round(3).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    norms[norms == 0] = 1
    return np.divide(vectors, norms[:, None]).astype(np.float32)


def relative_difference(values: np.ndarray, reference: np.ndarray) -> float:
    """The largest difference of two arrays of the same shape, relative to the largest absolute value of the reference.

    >>> relative_difference(np.array([1.0, 3.0]), np.array([1.0, 4.0]))
    0.25
    """
    return float(np.abs(values - reference).max()) / max(float(np.abs(reference).max()), 1e-12)


def paired_cosines(vectors: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Cosine similarity of corresponding rows.

    Args:
        vectors: float [n, d].
        reference: float [n, d].

    Returns:
        float64 [n] in -1..1; 1 where both rows are zero.

    >>> paired_cosines(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[1.0, 1.0], [0.0, 0.0]])).round(3)
    array([0.707, 1.   ])
    """
    both_zero = ~(vectors.any(axis=1) | reference.any(axis=1))
    similarity = np.einsum("ij,ij->i", unit_rows(vectors), unit_rows(reference), dtype=np.float64)
    return np.where(both_zero, 1.0, np.clip(similarity, -1, 1))
