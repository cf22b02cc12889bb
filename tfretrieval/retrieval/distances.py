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
    every = np.repeat(np.arange(rows.shape[0]), rows.shape[1])
    return indexed_distances(queries, gallery, every, rows.ravel(), metric).reshape(rows.shape)


def all_distances(queries: np.ndarray, gallery: np.ndarray, metric: str) -> np.ndarray:
    """Float32 [q, n]: from each query to every gallery row. Arguments as in `pair_distances`.

    The gallery is taken in tiles that fit a core's cache.
    """
    distances = np.empty((len(queries), len(gallery)), np.float32)
    size = max(16, TILE_VALUES // queries.shape[1])
    every = np.tile(np.arange(min(size, len(gallery))), (len(queries), 1))

    def fill(tile: slice) -> None:
        part = gallery[tile]
        distances[:, tile] = pair_distances(queries, part, every[:, : len(part)], metric)

    in_threads(fill, blocks(len(gallery), size))
    return distances


def indexed_distances(
    queries: np.ndarray, gallery: np.ndarray, query_rows: np.ndarray, rows: np.ndarray, metric: str
) -> np.ndarray:
    """Float32 [m]: from the query to the gallery row of each pair, both int [m]. Others as in `pair_distances`."""
    squared = np.empty(len(rows), np.float32)
    if len(rows):
        indices = [np.ascontiguousarray(which, np.int64) for which in (query_rows, rows)]
        of_queries, of_gallery, of_query_rows, of_rows, out = (
            faiss.swig_ptr(array) for array in (queries, gallery, *indices, squared)
        )
        faiss.pairwise_indexed_L2sqr(  # type: ignore[attr-defined]
            queries.shape[1], len(rows), of_queries, of_query_rows, of_gallery, of_rows, out
        )
    if metric == "euclidean":
        return np.sqrt(squared, out=squared)
    return _cosine(squared, queries, gallery, query_rows, rows)


def _cosine(
    squared: np.ndarray, queries: np.ndarray, gallery: np.ndarray, query_rows: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """Cosine distances in the place of squared ones. A unit vector is at squared distance 1 from a vector of zeros."""
    suspects = np.flatnonzero(np.abs(squared - 1) < UNIT_ROUNDING)
    squared /= 2
    squared[suspects[~np.any(gallery[rows[suspects]], axis=1)]] = 1
    is_zero = ~np.any(queries, axis=1)
    if is_zero.any():
        squared[is_zero[query_rows]] = 1
    return squared
