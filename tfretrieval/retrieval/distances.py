"""Distances by the differences of two vectors: 0 for equal ones, the same for every kind of retriever.

The expansion |a|^2 + |b|^2 - 2ab, by which indexes search, loses its digits where two vectors are close. Here
each pair is computed by FAISS as the sum of squared differences in float32, always by the same function, so that
a pair has one distance wherever it is asked for; its relative error is about 1e-7. A cosine distance is half the
squared distance of unit vectors, which is the same as one minus their inner product; to a vector of zeros it is 1.
"""

from __future__ import annotations

import faiss
import numpy as np

from tfretrieval.retrieval.blocks import blocks
from tfretrieval.retrieval.threads import in_threads

TILE_VALUES = 1 << 17
UNIT_ROUNDING = 1e-4


def pair_distances(queries: np.ndarray, gallery: np.ndarray, rows: np.ndarray, metric: str) -> np.ndarray:
    """Float32 [q, k]: from each query to the gallery rows named for it.

    Args:
        queries: float32 [q, d], C-order; unit vectors or zeros for cosine.
        gallery: float32 [n, d], likewise.
        rows: int [q, k], 0..n-1.
        metric: "euclidean" or "cosine".

    >>> pair_distances(np.zeros((1, 2), np.float32), np.float32([[3, 4], [0, 0]]), np.array([[1, 0]]), "euclidean")
    array([[0., 5.]], dtype=float32)
    """
    rows = np.ascontiguousarray(rows, np.int64)
    return _finished(_squared(queries, gallery, rows), gallery, rows, _zero_queries(queries, metric))


def all_distances(queries: np.ndarray, gallery: np.ndarray, metric: str) -> np.ndarray:
    """Float32 [q, n]: from each query to every gallery row. Arguments as in `pair_distances`.

    The gallery is taken in tiles that fit a core's cache.
    """
    distances = np.empty((len(queries), len(gallery)), np.float32)
    size = max(16, TILE_VALUES // queries.shape[1])
    every = np.tile(np.arange(min(size, len(gallery))), (len(queries), 1))
    zero_queries = _zero_queries(queries, metric)

    def fill(tile: slice) -> None:
        part = gallery[tile]
        rows = np.ascontiguousarray(every[:, : len(part)])
        distances[:, tile] = _finished(_squared(queries, part, rows), part, rows, zero_queries)

    in_threads(fill, blocks(len(gallery), size))
    return distances


def _squared(queries: np.ndarray, gallery: np.ndarray, rows: np.ndarray) -> np.ndarray:
    squared = np.empty(rows.shape, np.float32)
    if squared.size:
        pointers = [faiss.swig_ptr(array) for array in (squared, queries, gallery, rows)]
        faiss.fvec_L2sqr_by_idx(*pointers, queries.shape[1], *rows.shape)  # type: ignore[attr-defined]
    return squared


def _finished(
    squared: np.ndarray, gallery: np.ndarray, rows: np.ndarray, zero_queries: np.ndarray | None
) -> np.ndarray:
    """Distances in the place of their squares. A unit vector is at squared distance 1 from a vector of zeros."""
    if zero_queries is None:
        return np.sqrt(squared, out=squared)
    suspects = np.nonzero(np.abs(squared - 1) < UNIT_ROUNDING)
    is_zero = np.logical_not(np.any(gallery[rows[suspects]], axis=1))
    squared /= 2
    squared[tuple(axis[is_zero] for axis in suspects)] = 1
    squared[zero_queries] = 1
    return squared


def _zero_queries(queries: np.ndarray, metric: str) -> np.ndarray | None:
    return np.logical_not(np.any(queries, axis=1)) if metric == "cosine" else None
