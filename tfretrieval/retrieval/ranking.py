"""Rankings of the gallery for a block of queries, each without the query itself."""

from __future__ import annotations

import numpy as np

from tfretrieval.retrieval.base import Retriever


def rank_gallery(
    retriever: Retriever, queries: np.ndarray, self_rows: np.ndarray, depth: int
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest `depth` gallery rows of each query, nearest first, its own row left out.

    Args:
        retriever: fitted on the gallery of n items.
        queries: float32 [q, d].
        self_rows: int [q], the row of the query itself in the gallery, or -1.
        depth: 1..n.

    Returns:
        distances, float32 [q, depth], and rows, int64 [q, depth]; where there is no more, row -1 at infinity.
    """
    fetched = min(retriever.n_items_, depth + int((self_rows >= 0).any()))
    distances, rows = retriever.kneighbors(queries, fetched)
    itself = (rows == self_rows[:, None]) & (self_rows[:, None] >= 0)
    if itself.any():
        distances[itself], rows[itself] = np.inf, -1
        last = np.argsort(itself, axis=1, kind="stable")
        distances = np.take_along_axis(distances, last, axis=1)
        rows = np.take_along_axis(rows, last, axis=1)
    return distances[:, :depth], rows[:, :depth]
