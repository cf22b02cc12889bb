"""Exact neighbours from an index that searches with rounded distances."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfretrieval.retrieval.blocks import blocks
from tfretrieval.retrieval.distances import pair_distances
from tfretrieval.retrieval.order import full_rankings, in_order
from tfretrieval.retrieval.threads import in_threads

SPARE = 8
FEW = 4  # queries whose distances are computed sooner than an index is made ready
ROUNDING = 1e-6
CELLS, FEWEST = 1 << 18, 256  # of the rankings that are put in order at a time: they stay in a core's cache

Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


def exact_neighbours(
    search: Search, queries: np.ndarray, vectors: np.ndarray, k: int, metric: str
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest rows, [q, k], with distances by difference, of equally near ones the lower row first.

    Few queries, and those that want more than half of the gallery, are answered by sorting all distances. For others
    a few more than k are fetched and put in order. Where the last of them is as near as the k-th, up to rounding,
    another that is as near may have been left out, and all distances are sorted.

    Args:
        search: from queries and a number to distances and rows, nearest first up to rounding.
        queries: float32 [q, d], prepared for the metric.
        vectors: float32 [n, d], the gallery, likewise.
        k: 1..n.
        metric: "euclidean" or "cosine".
    """
    fetched = k + SPARE
    if fetched > len(vectors) // 2 or len(queries) <= FEW:
        return full_rankings(queries, vectors, k, metric)
    _, fetched_rows = search(queries, fetched)
    distances = np.empty((len(queries), k), np.float32)
    rows = np.empty((len(queries), k), np.int64)
    unsettled = np.empty(len(queries), bool)

    def refine(part: slice) -> None:
        its, its_rows = queries[part], fetched_rows[part]
        near, ordered = in_order(pair_distances(its, vectors, its_rows, metric), its_rows)
        unsettled[part] = _unsettled(its, vectors[ordered[:, -1]], near[:, k - 1], near[:, -1], metric)
        distances[part], rows[part] = near[:, :k], ordered[:, :k]

    in_threads(refine, blocks(len(queries), max(FEWEST, CELLS // fetched)))
    if unsettled.any():
        distances[unsettled], rows[unsettled] = full_rankings(queries[unsettled], vectors, k, metric)
    return distances, rows


def _unsettled(
    queries: np.ndarray, last_vectors: np.ndarray, kth: np.ndarray, last: np.ndarray, metric: str
) -> np.ndarray:
    """Whether rounding in the index may have left out a neighbour as near as the k-th, bool [q]."""
    if metric == "cosine":
        return last - kth <= 2 * ROUNDING
    scale = _squared_norms(queries) + _squared_norms(last_vectors)
    return last.astype(np.float64) ** 2 - kth.astype(np.float64) ** 2 <= ROUNDING * scale


def _squared_norms(vectors: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
