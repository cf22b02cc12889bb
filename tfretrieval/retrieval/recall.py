"""How many of the true neighbours an approximate index returns."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfretrieval.errors import UserError
from tfretrieval.retrieval.base import Retriever
from tfretrieval.retrieval.distances import blocks, pair_distances
from tfretrieval.retrieval.knn import KNNRetriever
from tfretrieval.vectors import checked_vectors, unit_rows

EPSILON = 1e-6
BLOCK = 1024


def recall_against_exact(
    retriever: Retriever, vectors: Any, queries: Any, k: int = 10, n_queries: int = 1000, seed: int = 0
) -> float:
    """The share of the k nearest that `retriever` returns among its k, 0..1, mean over queries.

    A returned item counts where its true distance is at most that of the exact k-th neighbour, so that any of
    several equally near items will do.

    Args:
        retriever: fitted on `vectors`.
        vectors: the gallery, [n, d].
        queries: [q, d], q >= 1.
        k: 1..n.
        n_queries: so many queries are drawn at random where there are more.
        seed: of that draw.

    Raises:
        UserError: the retriever was fitted on another number of vectors, k is out of range, there is no
            query.
    """
    queries = checked_vectors(queries, "queries")
    exact = KNNRetriever(metric=retriever.metric).fit(vectors)
    if not len(queries):
        raise UserError("recall needs at least one query")
    if exact.n_items_ != getattr(retriever, "n_items_", None):
        raise UserError(f"the retriever was not fitted on these {exact.n_items_} vectors")
    if len(queries) > n_queries:
        drawn = np.random.default_rng(seed).choice(len(queries), n_queries, replace=False)
        queries = queries[np.sort(drawn)]
    found = 0
    for block in blocks(len(queries), BLOCK):
        limits = exact.kneighbors(queries[block], k)[0][:, -1:]
        rows = retriever.kneighbors(queries[block], k)[1]
        prepared = unit_rows(queries[block]) if retriever.metric == "cosine" else queries[block]
        distances = pair_distances(prepared, exact.vectors_, np.maximum(rows, 0), retriever.metric)
        near = distances <= limits * (1 + EPSILON) + EPSILON * (retriever.metric == "cosine")
        found += int((near & (rows >= 0)).sum())
    return found / (len(queries) * k)
