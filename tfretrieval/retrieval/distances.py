"""Distances between vectors, and the order of neighbors: by distance, then by row.

Indexes search with |a|^2 + |b|^2 - 2ab in float32, which loses its digits where two vectors are close. Here the
distances of neighbors are computed from the differences of the vectors, and whole distance matrices in float64, so that
both are accurate to the precision of float32 and equal vectors have equal distances. The cosine distance is half the
squared distance of unit vectors, which is 1 - cosine similarity; the distance to a vector of zeros is 1.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import faiss
import numpy as np

METRICS = ("euclidean", "cosine")
ROWS_PER_TILE = 1024
EQUAL = 1e-14  # squared distances below this fraction of the squared norms are rounding errors
ZERO_VECTOR_TOLERANCE = 1e-4
MISSING = 0xFFFFFFFF  # -1 as an unsigned integer
KEYS_PER_BLOCK = 1 << 16  # fit in the cache of a core


def blocks(total: int, size: int = 8192) -> Iterator[slice]:
    """Slices of at most `size` (at least 1) that cover 0..total.

    >>> list(blocks(5, 3))
    [slice(0, 3, None), slice(3, 5, None)]
    """
    size = max(1, size)
    return (slice(start, min(start + size, total)) for start in range(0, total, size))


def row_distances(queries: np.ndarray, gallery: np.ndarray, rows: np.ndarray, metric: str) -> np.ndarray:
    """Distances from each query to its own gallery rows, float32 [q, k], by difference.

    Args:
        queries: float32 [q, d], C-order; for cosine, unit vectors or zeros.
        gallery: float32 [n, d], likewise.
        rows: int [q, k]; the distance to a negative row is infinite.
        metric: "euclidean" or "cosine".

    >>> row_distances(np.zeros((1, 2), np.float32), np.float32([[3, 4], [0, 0]]), np.array([[1, 0, -1]]), "euclidean")
    array([[ 0.,  5., inf]], dtype=float32)
    """
    distances = np.empty(rows.shape, np.float32)
    rows = np.ascontiguousarray(rows, np.int64)
    pointers = [faiss.swig_ptr(array) for array in (distances, queries, gallery, rows)]
    faiss.fvec_L2sqr_by_idx(*pointers, queries.shape[1], *rows.shape)  # type: ignore[attr-defined]
    if metric == "cosine":
        # a unit vector is at squared distance 1 from a vector of zeros
        candidates = np.nonzero(np.abs(distances - 1) < ZERO_VECTOR_TOLERANCE)
        distances /= 2
        to_zero = ~gallery[rows[candidates]].any(axis=1)
        distances[candidates[0][to_zero], candidates[1][to_zero]] = 1
        distances[~queries.any(axis=1)] = 1
    else:
        np.sqrt(distances, out=distances)
    distances[rows < 0] = np.inf
    return distances


def all_distances(queries: np.ndarray, gallery: np.ndarray, metric: str) -> np.ndarray:
    """Distances from every query to every gallery row, float32 [q, n]. Arguments as in `row_distances`."""
    distances = np.empty((len(queries), len(gallery)), np.float32)
    queries = queries.astype(np.float64)
    query_norms = np.einsum("ij,ij->i", queries, queries)[:, None]
    factors = np.column_stack([-2 * queries, query_norms, np.ones(len(queries))])  # [-2a, |a|^2, 1] [b, 1, |b|^2]
    for rows in blocks(len(gallery), ROWS_PER_TILE):
        part = gallery[rows].astype(np.float64)
        norms = np.einsum("ij,ij->i", part, part)
        squared = factors @ np.column_stack([part, np.ones(len(part)), norms]).T
        tile = distances[:, rows]
        tile[:] = squared
        tile[squared < EQUAL * (query_norms + norms.max())] = 0
        if metric == "cosine":
            tile /= 2
            tile[:, norms == 0] = 1
            tile[query_norms[:, 0] == 0] = 1
    return np.sqrt(distances, out=distances) if metric == "euclidean" else distances


def sort_neighbors(distances: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort neighbors by distance and, where distances are equal, by row; missing ones last.

    Args:
        distances: float32 [q, k], 0 or more; infinite for missing neighbors.
        rows: int64 [q, k], -1 for missing neighbors.

    >>> sort_neighbors(np.float32([[1.0, 0.5, 0.5]]), np.array([[4, 9, 2]]))[1]
    array([[2, 9, 4]])
    """
    sorted_distances, sorted_rows = np.empty(rows.shape, np.float32), np.empty(rows.shape, np.int64)

    def sort(block: slice) -> None:
        # one sort by both: the bits of non-negative floats have the order of the floats
        keys = (distances[block].astype(np.float32) + np.float32(0)).view(np.uint32).astype(np.uint64) << np.uint64(32)
        keys |= rows[block].astype(np.uint32)
        keys.sort(axis=1)
        sorted_distances[block] = (keys >> np.uint64(32)).astype(np.uint32).view(np.float32)
        sorted_rows[block] = keys & np.uint64(MISSING)

    parts = list(blocks(len(rows), KEYS_PER_BLOCK // max(1, rows.shape[1])))
    with ThreadPoolExecutor() as pool:
        list(pool.map(sort, parts) if len(parts) > 1 else map(sort, parts))
    sorted_rows[sorted_rows == MISSING] = -1
    return sorted_distances, sorted_rows
