"""Exact neighbors from a library's search, whose distances are rounded."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tfretrieval.errors import UserError
from tfretrieval.retrieval.base import DistancesAndRows, Retriever
from tfretrieval.retrieval.distances import blocks, row_distances, sort_neighbors

EXTRA_NEIGHBORS = 8  # fetched beyond k
ROUNDING = 1e-6  # relative error of a library's squared distances
MAX_RESULTS = 1 << 22  # at a time


def exact_neighbors(
    search: Callable[[np.ndarray, int], np.ndarray], queries: np.ndarray, vectors: np.ndarray, k: int, metric: str,
    extra: int = EXTRA_NEIGHBORS,
) -> DistancesAndRows:  # fmt: skip
    """The k nearest rows with distances by difference, equally near ones by row.

    A few more rows than k are fetched, and sorted by their exact distances. If the last one is as near as the k-th up
    to rounding, a row as near may be missing, and more are fetched for that query.

    Args:
        search: from queries [q, d] and k to rows int64 [q, k], by a library.
        queries: float32 [q, d], prepared for the metric.
        vectors: float32 [n, d], the gallery, likewise.
        k: 1..n.
        metric: "euclidean" or "cosine".
        extra: number of additional neighbors to fetch.
    """
    fetched = min(len(vectors), k + extra)
    distances = np.empty((len(queries), k), np.float32)
    rows = np.empty((len(queries), k), np.int64)
    block_size = 1 << max(0, (MAX_RESULTS // fetched).bit_length() - 1)  # libraries work on blocks of powers of two
    for block in blocks(len(queries), block_size):
        part = queries[block]
        candidates = search(part, fetched)
        sorted_distances, candidates = sort_neighbors(row_distances(part, vectors, candidates, metric), candidates)
        distances[block], rows[block] = sorted_distances[:, :k], candidates[:, :k]
        if fetched < len(vectors):
            kth_and_last = sorted_distances[:, [k - 1, -1]]
            ambiguous = np.flatnonzero(_is_ambiguous(part, vectors[candidates[:, -1]], kth_and_last, metric))
            if len(ambiguous):
                neighbors = exact_neighbors(search, part[ambiguous], vectors, k, metric, 8 * extra)
                distances[block.start + ambiguous], rows[block.start + ambiguous] = neighbors
    return distances, rows


def neighbors_among(
    retriever: Retriever, vectors: np.ndarray | None, X: Any, k: int, rows: np.ndarray
) -> DistancesAndRows:
    """The k nearest of some gallery rows, by a retriever of the same type over these rows.

    Raises:
        UserError: the retriever has no exact vectors.
    """
    if vectors is None:
        raise UserError("an approximate index cannot filter", "use an exact one, or --retriever milvus")
    part = type(retriever)(**retriever.get_params()).fit(vectors[rows])
    distances, indices = part.kneighbors(X, k)
    return distances, rows[indices]


def _is_ambiguous(queries: np.ndarray, last_vectors: np.ndarray, distances: np.ndarray, metric: str) -> np.ndarray:
    """Whether a row as near as the k-th may be missing, bool [q], from the k-th and last distances, float32 [q, 2]."""
    kth, last = distances.astype(np.float64).T
    if metric == "cosine":
        return last - kth <= 2 * ROUNDING
    scale = np.einsum("ij,ij->i", queries, queries) + np.einsum("ij,ij->i", last_vectors, last_vectors)
    return last**2 - kth**2 <= ROUNDING * scale
