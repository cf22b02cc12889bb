"""`Ranking`: where the relevant items of some queries stand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfretrieval.evaluation.metrics import NOT_FOUND, ranks_of
from tfretrieval.retrieval.neighbors import Neighbors


@dataclass(frozen=True, eq=False)
class Ranking:
    """Rankings of b queries of one class.

    Attributes:
        distances: float32 [b, m], of the ranked items, ascending; infinite for excluded and missing items.
        relevant: float32 [b, r], of the relevant items, ascending; infinite for items not found.
        ranks: int64 [b, r], ranks of the relevant items, see `metrics`. Of equally near items the lower row is first.
    """

    distances: np.ndarray
    relevant: np.ndarray
    ranks: np.ndarray

    def precisions(self) -> np.ndarray:
        """Precision at every relevant item, float64 [b, r]; equally near items share the precision at the last one."""
        found, ranked = (self._count_within(rows, self.relevant) for rows in (self.relevant, self.distances))
        return np.where(np.isinf(self.relevant), 0.0, found / np.maximum(1, ranked))

    def n_within(self, thresholds: np.ndarray) -> np.ndarray:
        """Number of relevant pairs, and of all pairs, within each distance, int64 [2, t]."""
        repeated = np.broadcast_to(thresholds, (len(self.ranks), len(thresholds)))
        return np.stack([self._count_within(rows, repeated).sum(axis=0) for rows in (self.relevant, self.distances)])

    @staticmethod
    def _count_within(rows: np.ndarray, distances: np.ndarray) -> np.ndarray:
        return np.array([np.searchsorted(row, near, side="right") for row, near in zip(rows, distances)])


def rank_neighbors(neighbors: Neighbors, is_relevant: np.ndarray) -> Ranking:
    """Rankings cut at k, from search results and whether each is relevant, bool [b, k]."""
    ranks = ranks_of(is_relevant)
    padded = np.column_stack([neighbors.distances, np.full(len(neighbors), np.inf, np.float32)])
    return Ranking(
        neighbors.distances, np.take_along_axis(padded, np.minimum(ranks, padded.shape[1]) - 1, axis=1), ranks
    )


def rank_gallery(distances: np.ndarray, relevant_rows: np.ndarray, own_rows: np.ndarray) -> Ranking:
    """Rankings of a whole gallery.

    Args:
        distances: float32 [b, n], from every query to every gallery row; changed in place.
        relevant_rows: int64 [r], gallery rows of the class.
        own_rows: int64 [b], gallery row of each query itself, which is excluded, or -1.
    """
    own = np.flatnonzero(own_rows >= 0)
    distances[own, own_rows[own]] = np.inf
    ordered, relevant = np.sort(distances, axis=1), np.sort(distances[:, relevant_rows], axis=1)
    is_relevant = np.zeros(distances.shape[1], bool)
    is_relevant[relevant_rows] = True
    ranks = np.array([_ranks(*rows, is_relevant) for rows in zip(distances, ordered, relevant)]).reshape(relevant.shape)
    ranks[np.isinf(relevant)] = NOT_FOUND
    return Ranking(ordered, relevant, ranks)


def _ranks(row: np.ndarray, ordered: np.ndarray, relevant: np.ndarray, is_relevant: np.ndarray) -> np.ndarray:
    """Ranks of the relevant items of one query, int64 [r]; of equally near items the lower row comes first."""
    first = np.searchsorted(ordered, relevant, side="left")
    tied = np.searchsorted(ordered, relevant, side="right") > first + 1
    ranks = first + 1
    if tied.any():
        rows = np.flatnonzero(np.isin(row, np.unique(relevant[tied])))
        rows = rows[np.argsort(row[rows], kind="stable")]
        near = row[rows]
        ranks_of_tied = 1 + np.searchsorted(ordered, near) + np.arange(len(near)) - np.searchsorted(near, near)
        ranks[tied] = ranks_of_tied[is_relevant[rows]]
    return ranks
