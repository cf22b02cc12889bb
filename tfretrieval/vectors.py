"""Vectors from anywhere, checked and normalized."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfretrieval.errors import UserError

LARGEST = 1e15


def checked_vectors(vectors: Any, what: str = "vectors", dim: int | None = None) -> np.ndarray:
    """The vectors as float32 [n, d], C-order; a copy only where they are something else.

    Args:
        vectors: [n, d] numbers, finite and between -1e15 and 1e15, so that their squares stay finite.
        what: their name in an error.
        dim: the d they must have, if any.

    Raises:
        UserError: they are not numbers, not two-dimensional, not finite, too large, or of another d.

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
        raise UserError(f"the {what} have {array.shape[1]} dimensions where {dim} are needed")
    if array.size and not (array.max() <= LARGEST and array.min() >= -LARGEST):
        raise UserError(f"the {what} hold NaN, infinity or values beyond {LARGEST:g}; check what made them")
    return np.ascontiguousarray(array, dtype=np.float32)


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Float32 [n, d] with rows of L2 norm 1; a row of zeros stays as it is.

    >>> unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).round(3).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    norms[norms == 0] = 1
    return np.divide(vectors, norms[:, None]).astype(np.float32)
