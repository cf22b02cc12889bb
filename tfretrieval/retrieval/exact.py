"""Exact neighbors from an index that searches with rounded distances."""

from __future__ import annotations

import math
from collections.abc import Callable

import faiss
import numpy as np

from tfretrieval.retrieval.blocks import blocks
from tfretrieval.retrieval.distances import pair_distances
from tfretrieval.retrieval.order import full_rankings, in_order, nearest_first
from tfretrieval.retrieval.radius import parts_within, sampled_rows, within_radius
from tfretrieval.retrieval.threads import in_threads

SPARE = 8
MANY = 128  # neighbors that are found sooner by a radius than by a heap
SHARE = 32
FEW = 4  # queries whose distances are computed sooner than an index is made ready
ROUNDING = 1e-6
CELLS, FEWEST = 1 << 18, 256  # of the rankings that are put in order at a time: they stay in a core's cache

Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


def exact_neighbors(
    search: Search, queries: np.ndarray, vectors: np.ndarray, k: int, metric: str
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest rows, [q, k], with distances by difference, of equally near ones the lower row first.

    Few queries, and those that want more than half of the gallery, are answered by sorting all distances; those that
    want many neighbors by a radius within which there probably are as many. For others a few more than k are fetched
    and put in order. Where the last of them is as near as the k-th, up to rounding, another that is as near may have
    been left out, and all distances are sorted.

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
    if k >= MANY:
        return _many_neighbors(queries, vectors, k, metric)
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


def _many_neighbors(queries: np.ndarray, vectors: np.ndarray, k: int, metric: str) -> tuple[np.ndarray, np.ndarray]:
    radii = _likely_radii(queries, vectors, k, metric)
    distances = np.empty((len(queries), k), np.float32)
    rows = np.empty((len(queries), k), np.int64)
    too_few = np.zeros(len(queries), bool)

    def find(part: slice) -> None:
        found = within_radius(queries[part], vectors, radii[part], metric)
        for query, (near, its_rows) in enumerate(found, part.start):
            if len(near) < k:
                too_few[query] = True
            else:
                nearest = nearest_first(near)[:k]
                distances[query], rows[query] = near[nearest], its_rows[nearest]

    in_threads(find, parts_within(queries, vectors, radii, metric))
    if too_few.any():
        distances[too_few], rows[too_few] = full_rankings(queries[too_few], vectors, k, metric)
    return distances, rows


def _likely_radii(queries: np.ndarray, vectors: np.ndarray, k: int, metric: str) -> np.ndarray:
    """Distances within which there are k neighbors or more of nearly every query, float32 [q].

    Of a sample of the gallery about so many are among the k nearest: the radius is that of the last of them, and of
    three standard errors more.
    """
    sample = sampled_rows(len(vectors), max(min(len(vectors), 8 * MANY), len(vectors) // SHARE))
    expected = k * len(sample) / len(vectors)
    enough = min(len(sample), math.ceil(expected + 3 * math.sqrt(expected) + 3))
    squared = faiss.knn(queries, vectors[sample], enough)[0][:, -1]
    return squared / 2 if metric == "cosine" else np.sqrt(np.maximum(squared, 0))


def _unsettled(
    queries: np.ndarray, last_vectors: np.ndarray, kth: np.ndarray, last: np.ndarray, metric: str
) -> np.ndarray:
    """Whether rounding in the index may have left out a neighbor as near as the k-th, bool [q]."""
    if metric == "cosine":
        return last - kth <= 2 * ROUNDING
    scale = _squared_norms(queries) + _squared_norms(last_vectors)
    return last.astype(np.float64) ** 2 - kth.astype(np.float64) ** 2 <= ROUNDING * scale


def _squared_norms(vectors: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
