"""Recall of an index: how many of the true neighbors it returns."""

import faiss
import numpy as np
from faiss.contrib.exhaustive_search import knn_ground_truth

from tfretrieval.errors import UserError
from tfretrieval.retrieval.base import Retriever
from tfretrieval.retrieval.distances import row_distances, sort_neighbors
from tfretrieval.retrieval.neighbors import Neighbors
from tfretrieval.retrieval.transformed import TransformedVectors

TOLERANCE = 1e-6
ROWS_PER_BLOCK = 1 << 16


def recall_at_k(
    retriever: Retriever, vectors: TransformedVectors, k: int = 10, n_queries: int = 1000, seed: int = 0
) -> float:
    """Recall@k against exact search, 0..1; gallery items are the queries, each excluded from its own neighbors.

    A returned item counts if its true distance is at most that of the true k-th neighbor, so that any of several
    equally near items is right.

    Args:
        retriever: fitted on `vectors`.
        vectors: the gallery of n vectors.
        k: 1..n-1.
        n_queries: number of queries, drawn at random.
        seed: random seed.

    Raises:
        UserError: the retriever was fitted on another number of vectors, or k is out of range.
    """
    if len(vectors) != getattr(retriever, "n_items_", None):
        raise UserError(f"the retriever was not fitted on these {len(vectors)} vectors")
    if not 1 <= k < len(vectors):
        raise UserError(f"recall@{k} is out of range", f"each item has {len(vectors) - 1} neighbors")
    rows, queries = vectors.sample(n_queries, seed)
    exact = true_neighbors(vectors, queries, k + 1).excluding(rows).first(k)
    returned = Neighbors(*retriever.kneighbors(queries, k + 1)).excluding(rows).first(k)
    return float(is_true_neighbor(vectors, queries, returned.rows, exact.distances[:, -1:]).mean())


def true_neighbors(vectors: TransformedVectors, queries: np.ndarray, k: int) -> Neighbors:
    """The exact k nearest rows of queries float32 [q, d], reading the gallery block by block."""
    metric = faiss.METRIC_INNER_PRODUCT if vectors.metric == "cosine" else faiss.METRIC_L2
    _, rows = knn_ground_truth(queries, vectors.in_blocks(ROWS_PER_BLOCK), k, metric, ngpu=0)
    return Neighbors(*sort_neighbors(_distances(vectors, queries, rows), rows))


def is_true_neighbor(
    vectors: TransformedVectors, queries: np.ndarray, rows: np.ndarray, limits: np.ndarray
) -> np.ndarray:
    """Whether each returned row is at most as far as the true k-th neighbor, bool [q, k].

    Args:
        vectors: the gallery.
        queries: float32 [q, d].
        rows: int64 [q, k], -1 for a missing neighbor.
        limits: float32 [q, 1], distance of the true k-th neighbor.
    """
    tolerance = TOLERANCE * (vectors.metric == "cosine")
    return (rows >= 0) & (_distances(vectors, queries, rows) <= limits * (1 + TOLERANCE) + tolerance)


def _distances(vectors: TransformedVectors, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Exact distances to rows [q, k], which are gathered from the gallery."""
    distinct, positions = np.unique(rows, return_inverse=True)
    gathered = vectors[np.maximum(distinct, 0)]
    positions = np.where(rows < 0, -1, positions.reshape(rows.shape))
    return row_distances(queries, gathered, positions, vectors.metric)
