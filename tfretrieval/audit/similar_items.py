"""The nearest neighbors that the items of one collection have among themselves."""

from __future__ import annotations

import math

import numpy as np

from tfretrieval.retrieval.blocks import blocks
from tfretrieval.retrieval.faiss import FaissRetriever

EXACT = 20_000  # items; more are found by an approximate index
REDUCED = 128  # values by which an approximate index searches
POINTS_A_LIST = 40
BLOCK = 4096  # queries at a time
BLOCK_VALUES = 1 << 24


class Within:
    """Finds the neighbors of the items of a collection in that collection.

    Up to 20,000 items all are compared; beyond, an IVF index on 128 principal components looks for neighbors, and
    their cosines are computed from the whole vectors.

    Args:
        units: float32 [n, d], C-order, vectors of norm 1 or zeros; n is 2 or more.

    >>> cosines, rows = Within(np.float32([[1, 0], [0, 1], [0.6, 0.8]])).neighbors(k=1)
    >>> cosines.round(3).tolist(), rows.tolist()
    ([[0.6000000238418579], [0.800000011920929], [0.800000011920929]], [[2], [2], [1]])
    """

    def __init__(self, units: np.ndarray) -> None:
        self.units = units
        self._index = FaissRetriever(_factory(*units.shape)).fit(units)

    def neighbors(self, k: int, order: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The k items that are most like each item, itself left out.

        Args:
            k: 1..n-1.
            order: int [d]: search with each vector's values in this order, such as that of a mirrored image.

        Returns:
            cosines, float32 [n, k], greatest first, and rows, int64 [n, k]. Where an approximate index finds fewer, it
            fills up with row -1 at cosine -1.
        """
        n = len(self.units)
        cosines, rows = np.empty((n, k), np.float32), np.empty((n, k), np.int64)
        for block in blocks(n, BLOCK):
            queries = self.units[block] if order is None else self.units[block][:, order]
            found = _without(np.arange(n)[block], self._index.kneighbors(queries, k + 1)[1])
            near = self._cosines(queries, found)
            best = np.argsort(-near, axis=1, kind="stable")
            cosines[block], rows[block] = (np.take_along_axis(each, best, axis=1) for each in (near, found))
        return cosines, rows

    def _cosines(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        cosines = np.empty(rows.shape, np.float32)
        for block in blocks(len(rows), BLOCK_VALUES // (rows.shape[1] * self.units.shape[1])):
            cosines[block] = np.einsum("qd,qkd->qk", queries[block], self.units[rows[block]])
        cosines[rows < 0] = -1
        return cosines


def _factory(n: int, d: int) -> str:
    if n <= EXACT:
        return "Flat"
    lists = f"IVF{min(4 * math.isqrt(n), n // POINTS_A_LIST)},Flat"
    return f"PCA{REDUCED},{lists}" if d > REDUCED else lists


def _without(own: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows [q, k + 1] -> [q, k]: each without its own row, or without the last where that is not among them."""
    is_own = rows == own[:, None]
    is_own[~is_own.any(axis=1), -1] = True
    return rows[~is_own].reshape(len(rows), -1)
