"""Nearest neighbors of the items of a collection within the same collection."""

import math

import numpy as np

from tfretrieval.retrieval.distances import blocks, row_distances, sort_neighbors
from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.neighbors import Neighbors

MAX_EXACT = 20_000  # items; larger collections use an approximate index
MAX_DIM = 128  # dimensions of the approximate index
POINTS_PER_LIST = 40
BLOCK = 4096  # queries


class SimilarItems:
    """Nearest neighbors by cosine similarity, the item itself excluded.

    Up to 20,000 items the search is exact. Beyond, an IVF index on 128 principal components proposes neighbors, whose
    cosines are computed from the full vectors.

    Args:
        vectors: float32 [n, d], C-contiguous, unit length or zeros; n is 1 or more.

    >>> cosines, rows = SimilarItems(np.float32([[1, 0], [0, 1], [0.6, 0.8]])).neighbors(k=1)
    >>> cosines.round(3).ravel(), rows.ravel()
    (array([0.6, 0.8, 0.8], dtype=float32), array([2, 2, 1]))
    """

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors
        self._index = FaissRetriever(_factory(*vectors.shape)).fit(vectors)

    def neighbors(self, k: int, permutation: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the k most similar items of each item.

        Args:
            k: number of neighbors; n - 1 if it is larger.
            permutation: int [d], order of the query's dimensions, such as that of a mirrored image.

        Returns:
            cosines, float32 [n, k], in descending order, and rows, int64 [n, k]. Where an approximate index returns
            fewer, the rest is row -1 with cosine -1.
        """
        n = len(self.vectors)
        k = min(k, n - 1)
        cosines, rows = np.empty((n, k), np.float32), np.empty((n, k), np.int64)
        for block in blocks(n, BLOCK):
            queries = self.vectors[block]
            if permutation is not None:
                queries = np.ascontiguousarray(queries[:, permutation])
            neighbors = Neighbors(*self._index.kneighbors(queries, k + 1)).excluding(np.arange(n)[block]).first(k)
            distances = row_distances(queries, self.vectors, neighbors.rows, "cosine")
            distances, rows[block] = sort_neighbors(distances, neighbors.rows)
            cosines[block] = np.maximum(1 - distances, -1)
        return cosines, rows


def _factory(n: int, d: int) -> str:
    if n <= MAX_EXACT:
        return "Flat"
    lists = f"IVF{min(4 * math.isqrt(n), n // POINTS_PER_LIST)},Flat"
    return f"PCA{MAX_DIM},{lists}" if d > MAX_DIM else lists
