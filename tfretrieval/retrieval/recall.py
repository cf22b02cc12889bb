"""How many of the true neighbors an approximate index returns."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfretrieval.errors import UserError
from tfretrieval.retrieval.base import Retriever
from tfretrieval.retrieval.blocks import blocks
from tfretrieval.retrieval.knn import KNNRetriever
from tfretrieval.retrieval.ranking import rank_gallery
from tfretrieval.retrieval.streamed import Streamed
from tfretrieval.vectors import checked_vectors

EPSILON = 1e-6
BLOCK = 1024
ROWS_A_PART = 1 << 16


def recall_against_exact(
    retriever: Retriever, vectors: Any, queries: Any = None, k: int = 10, n_queries: int = 1000, seed: int = 0
) -> float:
    """The share of the k nearest that `retriever` returns among its k, 0..1, mean over queries.

    A returned item counts where its true distance is at most that of the exact k-th neighbor, so that any of
    several equally near items will do.

    Args:
        retriever: fitted on `vectors`.
        vectors: the gallery, [n, d].
        queries: [q, d], q >= 1; None lets gallery items ask, each of which does not find itself.
        k: 1..n, or 1..n-1 where gallery items ask.
        n_queries: so many queries are drawn at random where there are more.
        seed: of that draw.

    Raises:
        UserError: the retriever was fitted on another number of vectors, k is out of range, there is no
            query.
    """
    exact = KNNRetriever(metric=retriever.metric).fit(vectors)
    if exact.n_items_ != getattr(retriever, "n_items_", None):
        raise UserError(f"the retriever was not fitted on these {exact.n_items_} vectors")
    asking = checked_vectors(vectors if queries is None else queries, "queries", exact.n_features_in_)
    q = len(asking)
    if not q:
        raise UserError("recall needs at least one query")
    if not 1 <= k <= exact.n_items_ - (queries is None):
        raise UserError(f"recall@{k} is out of range: a query has {exact.n_items_ - (queries is None)} neighbors")
    drawn = np.sort(np.random.default_rng(seed).choice(q, min(n_queries, q), replace=False))
    found = 0
    for block in blocks(len(drawn), BLOCK):
        part = asking[drawn[block]]
        self_rows = drawn[block] if queries is None else np.full(len(part), -1)
        limits = rank_gallery(exact, part, self_rows, k)[0][:, -1:]
        rows = rank_gallery(retriever, part, self_rows, k)[1]
        found += int(near_enough(exact, part, rows, limits).sum())
    return found / (len(drawn) * k)


def near_enough(exact: Retriever, queries: np.ndarray, rows: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Which of the returned rows are among the true neighbors, bool [q, k].

    Args:
        exact: an exact retriever of the gallery.
        queries: float32 [q, d].
        rows: int [q, k], -1 for none.
        limits: float32 [q, 1], the true distance of the last that counts.
    """
    distances = exact.distances_to(queries, np.maximum(rows, 0))
    near = distances <= limits * (1 + EPSILON) + EPSILON * (exact.metric == "cosine")
    return near & (rows >= 0)


def recall_streamed(retriever: Retriever, vectors: Streamed, k: int = 10, n_queries: int = 200, seed: int = 0) -> float:
    """As `recall_against_exact`, of vectors that do not fit into memory; gallery items ask.

    Args:
        retriever: fitted on `vectors`.
        vectors: the gallery of n items.
        k: 1..n-1.
        n_queries: so many are drawn at random.
        seed: of that draw.
    """
    rows, queries = vectors.sample(n_queries, seed)
    near, found = vectors.neighbors(queries, k + 1, ROWS_A_PART)
    near[found == rows[:, None]] = np.inf  # itself
    limits = np.sort(near, axis=1)[:, k - 1]
    limits = np.sqrt(limits) if vectors.metric == "euclidean" else limits
    good = 0
    for row, query, limit in zip(rows, queries, limits):
        its = rank_gallery(retriever, query[None], np.array([row]), k)[1][0]
        retriever.give_back()
        its = its[its >= 0]
        if len(its):
            exact = KNNRetriever(metric=retriever.metric).fit(vectors.at(np.sort(its)))
            ranks = np.arange(len(its))[None]
            good += int(near_enough(exact, query[None], ranks, np.array([[limit]], np.float32)).sum())
    return good / (len(rows) * k)
