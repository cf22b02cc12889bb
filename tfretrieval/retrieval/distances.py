"""Distances in double precision, rounded to float32 at the end: 0 for equal vectors, the same for every kind.

The expansion |a|^2 + |b|^2 - 2ab is fast but loses its digits where two vectors are close; such pairs are
computed again by difference. A cosine distance is half the squared distance of unit vectors, which is the
same as one minus their inner product; to a vector of zeros it is 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

PAIR_CELLS = 1 << 22
MATRIX_CELLS = 1 << 23
PRODUCT_CELLS = 1 << 21
MOST_GALLERY_ROWS = 4096
CLOSE = 1e-4


def pair_distances(queries: np.ndarray, gallery: np.ndarray, rows: np.ndarray, metric: str) -> np.ndarray:
    """Float32 [q, k]: from each query to the gallery rows named for it.

    Args:
        queries: float32 [q, d]; unit vectors or zeros for cosine.
        gallery: float32 [n, d], likewise.
        rows: int [q, k], 0..n-1.
        metric: "euclidean" or "cosine".
    """
    k = rows.shape[1]
    query_rows = np.repeat(np.arange(len(queries)), k)
    flat = _squared_by_difference(queries, gallery, query_rows, rows.ravel())
    squared = flat.reshape(rows.shape)
    zeros = _zero_rows(queries)[:, None] | _zero_rows(gallery)[rows] if metric == "cosine" else None
    return _finished(squared, zeros)


def all_distances(queries: np.ndarray, gallery: np.ndarray, metric: str) -> np.ndarray:
    """Float32 [q, n]: from each query to every gallery row. Arguments as in `pair_distances`."""
    distances = np.empty((len(queries), len(gallery)), np.float32)
    wide_queries = queries.astype(np.float64)
    query_norms = _squared_norms(wide_queries)
    for block in blocks(len(gallery), min(MOST_GALLERY_ROWS, PRODUCT_CELLS // max(1, len(queries)))):
        part = gallery[block]
        wide = part.astype(np.float64)
        scale = query_norms[:, None] + _squared_norms(wide)
        squared = scale - 2 * (wide_queries @ wide.T)
        close = np.nonzero(squared < CLOSE * scale)
        squared[close] = _squared_by_difference(queries, part, *close)
        zeros = _zero_rows(queries)[:, None] | _zero_rows(part) if metric == "cosine" else None
        distances[:, block] = _finished(squared, zeros)
    return distances


def full_rankings(queries: np.ndarray, gallery: np.ndarray, k: int, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Float32 distances and int64 rows [q, k] by sorting all distances; of equal ones the lower row first."""
    distances = np.empty((len(queries), k), np.float32)
    rows = np.empty((len(queries), k), np.int64)
    for block in blocks(len(queries), MATRIX_CELLS // len(gallery)):
        matrix = all_distances(queries[block], gallery, metric)
        order = np.argsort(matrix, axis=1, kind="stable")[:, :k]
        rows[block] = order
        distances[block] = np.take_along_axis(matrix, order, axis=1)
    return distances, rows


def in_order(distances: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both [q, k], sorted by distance and, where that is equal, by row.

    >>> in_order(np.array([[1.0, 0.5, 0.5]]), np.array([[4, 9, 2]]))[1]
    array([[2, 9, 4]])
    """
    order = np.lexsort((rows, distances), axis=1)
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1)


def blocks(total: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` (at least 1) that cover 0..total."""
    size = max(1, size)
    return (slice(start, min(start + size, total)) for start in range(0, total, size))


def _squared_by_difference(
    queries: np.ndarray, gallery: np.ndarray, query_rows: np.ndarray, gallery_rows: np.ndarray
) -> np.ndarray:
    squared = np.empty(len(query_rows))
    for block in blocks(len(query_rows), PAIR_CELLS // queries.shape[1]):
        difference = np.subtract(queries[query_rows[block]], gallery[gallery_rows[block]], dtype=np.float64)
        squared[block] = _squared_norms(difference)
    return squared


def _finished(squared: np.ndarray, zeros: np.ndarray | None) -> np.ndarray:
    if zeros is None:
        return np.sqrt(squared).astype(np.float32)
    return np.where(zeros, 1.0, squared / 2).astype(np.float32)


def _squared_norms(vectors: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", vectors, vectors)


def _zero_rows(vectors: np.ndarray) -> np.ndarray:
    return np.count_nonzero(vectors, axis=1) == 0
