"""The order of a ranking: by distance and, where that is equal, by row."""

from __future__ import annotations

import numpy as np

from tfretrieval.retrieval.blocks import blocks
from tfretrieval.retrieval.distances import all_distances

MATRIX_CELLS = 1 << 23
ROW_BITS = np.uint64(32)


def in_order(distances: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both [q, k], sorted by distance and, where that is equal, by row. Rankings already in order are only read.

    >>> in_order(np.array([[1.0, 0.5, 0.5]]), np.array([[4, 9, 2]]))[1]
    array([[2, 9, 4]])
    """
    before, after = distances[:, :-1], distances[:, 1:]
    wrong = (after < before) | ((after == before) & (rows[:, 1:] < rows[:, :-1]))
    disordered = np.flatnonzero(wrong.any(axis=1))
    if len(disordered):
        order = np.lexsort((rows[disordered], distances[disordered]), axis=1)
        distances, rows = distances.copy(), rows.copy()
        distances[disordered] = np.take_along_axis(distances[disordered], order, axis=1)
        rows[disordered] = np.take_along_axis(rows[disordered], order, axis=1)
    return distances, rows


def sorted_pairs(distances: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Float32 distances, 0 or more, and int64 rows, below 2^32, of the last axis in the order of a ranking.

    The bits of a distance above those of its row are one integer, and sorting integers is faster than sorting by
    two keys.
    """
    keys = (np.ascontiguousarray(distances).view(np.uint32).astype(np.uint64) << ROW_BITS) | rows.astype(np.uint64)
    keys.sort(axis=-1)
    return (keys >> ROW_BITS).astype(np.uint32).view(np.float32), (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)


def full_rankings(queries: np.ndarray, gallery: np.ndarray, k: int, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Float32 distances and int64 rows [q, k] by sorting all distances."""
    distances = np.empty((len(queries), k), np.float32)
    rows = np.empty((len(queries), k), np.int64)
    every = np.arange(len(gallery))
    for block in blocks(len(queries), MATRIX_CELLS // len(gallery)):
        near, their_rows = sorted_pairs(all_distances(queries[block], gallery, metric), every)
        distances[block], rows[block] = near[:, :k], their_rows[:, :k]
    return distances, rows
