"""`Ranking`: ranks and distances of the relevant items of some queries."""

from dataclasses import dataclass

import numpy as np

from tfretrieval.evaluation.metrics import NOT_FOUND, precisions_at, ranks_of


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
        precisions = precisions_at(self.ranks)
        last = self.distances.shape[1] - 1
        before, after = (
            np.take_along_axis(self.distances, np.clip(self.ranks + step, 0, last), axis=1) for step in (-2, 0)
        )
        before[self.ranks == 1] = after[self.ranks > last] = np.nan
        is_tied = ((before == self.relevant) | (after == self.relevant)) & np.isfinite(self.relevant)
        for row in np.flatnonzero(is_tied.any(axis=1)):
            tied = self.relevant[row, is_tied[row]]
            n_found, n_ranked = (np.searchsorted(r[row], tied, side="right") for r in (self.relevant, self.distances))
            precisions[row, is_tied[row]] = n_found / n_ranked
        return precisions

    def n_within(self, thresholds: np.ndarray) -> np.ndarray:
        """Number of relevant pairs, and of all pairs, within each distance, int64 [2, t]."""
        return np.stack([_n_within(rankings, thresholds) for rankings in (self.relevant, self.distances)])


def rank_neighbors(distances: np.ndarray, is_relevant: np.ndarray) -> Ranking:
    """Rankings of items in ascending order of their distance.

    Args:
        distances: float32 [b, m].
        is_relevant: bool [b, m]; false for items at infinite distance.
    """
    ranks = ranks_of(is_relevant)
    padded = np.column_stack([distances, np.full(len(distances), np.inf, np.float32)])
    return Ranking(distances, np.take_along_axis(padded, np.minimum(ranks, padded.shape[1]) - 1, axis=1), ranks)


def rank_gallery(distances: np.ndarray, relevant_rows: np.ndarray, own_rows: np.ndarray) -> Ranking:
    """Rankings of a whole gallery.

    Args:
        distances: float32 [b, n], from every query to every gallery row; sorted in place.
        relevant_rows: int64 [r], gallery rows of the class.
        own_rows: int64 [b], gallery row of each query itself, which is excluded, or -1.
    """
    own = np.flatnonzero(own_rows >= 0)
    distances[own, own_rows[own]] = np.inf
    # one sort orders distance, row and relevance: the bits of non-negative floats have the order of the floats
    keys_of_rows = 2 * np.arange(distances.shape[1], dtype=np.uint64)
    keys_of_rows[relevant_rows] += 1
    ranks = np.empty((len(distances), len(relevant_rows)), np.int64)
    for i, row in enumerate(distances):
        keys = row.view(np.uint32).astype(np.uint64)
        keys <<= 32
        keys |= keys_of_rows
        keys.sort()
        ranks[i] = np.flatnonzero((keys & 1).astype(bool)) + 1
        keys >>= 32
        row[:] = keys.astype(np.uint32).view(np.float32)
    relevant = np.take_along_axis(distances, ranks - 1, axis=1)
    ranks[np.isinf(relevant)] = NOT_FOUND
    return Ranking(distances, relevant, ranks)


def _n_within(rankings: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Number of elements of ascending rankings [b, m] that are at most as large as each threshold, int64 [t]."""
    if rankings.shape[1] > len(thresholds):
        return np.sum([np.searchsorted(row, thresholds, side="right") for row in rankings], axis=0)
    bins = np.searchsorted(thresholds, rankings.ravel())
    return np.cumsum(np.bincount(bins, minlength=len(thresholds) + 1)[:-1])
