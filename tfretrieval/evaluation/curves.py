"""Precision-recall curves pooled over many queries, in bounded memory."""

from __future__ import annotations

import numpy as np

from tfretrieval.errors import UserError


class PooledCurve:
    """One ranking of all (query, item) pairs by score, as counts at each threshold.

    Exact as long as there are at most `max_points` different scores; beyond that neighbouring thresholds are
    merged in pairs into the lower one, as if their scores were equal.

    Args:
        max_points: 2 or more; memory is about 100 bytes for each.

    Raises:
        UserError: `max_points` is below 2.

    >>> curve = PooledCurve(max_points=100)
    >>> curve.add(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]))
    >>> precision, recall, ap = curve.curve()
    >>> precision.round(3), recall, round(ap, 4)
    (array([1.   , 0.5  , 0.667]), array([0.5, 0.5, 1. ]), 0.8333)
    """

    def __init__(self, max_points: int = 1_000_000) -> None:
        if max_points < 2:
            raise UserError(f"a pooled curve needs max_points of at least 2, not {max_points}")
        self.max_points = max_points
        self._scores = np.empty(0, np.float32)
        self._counts = np.empty((2, 0), np.int64)
        self._missed = 0
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, scores: np.ndarray, relevant: np.ndarray, missed: int = 0) -> None:
        """Put pairs into the ranking.

        Args:
            scores: float [m], greater = nearer.
            relevant: bool [m].
            missed: number of relevant pairs that have no score, because they were never returned.
        """
        self._missed += missed
        for start in range(0, len(scores), self.max_points):
            part = slice(start, start + self.max_points)
            self._waiting.append((np.array(scores[part], np.float32), np.array(relevant[part], bool)))
            if sum(len(kept) for kept, _ in self._waiting) >= self.max_points:
                self._merge()

    def curve(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Precision and recall, float64 [points], at each threshold from the highest score down, and the AP.

        AP = sum over thresholds of (recall - recall at the threshold before) * precision, not interpolated,
        as scikit-learn's `average_precision_score`; NaN without relevant pairs.
        """
        self._merge()
        relevant, others = np.cumsum(self._counts[:, ::-1], axis=1)
        total = int(self._counts[0].sum()) + self._missed
        if not total:
            return np.zeros(len(relevant)), np.zeros(len(relevant)), float("nan")
        precision = relevant / np.maximum(relevant + others, 1)
        recall = relevant / total
        return precision, recall, float(np.sum(np.diff(recall, prepend=0.0) * precision))

    def _merge(self) -> None:
        if not self._waiting:
            return
        scores, relevances = zip(*self._waiting)
        self._waiting = []
        relevant = np.concatenate(relevances)
        unique, place = np.unique(np.concatenate([self._scores, *scores]), return_inverse=True)
        counts = np.zeros((2, len(unique)), np.int64)
        counts[:, place[: len(self._scores)]] = self._counts
        new = place[len(self._scores) :]
        counts[0] += np.bincount(new[relevant], minlength=len(unique))
        counts[1] += np.bincount(new[~relevant], minlength=len(unique))
        while len(unique) > self.max_points:
            pairs = np.arange(0, len(unique), 2)
            unique, counts = unique[pairs], np.add.reduceat(counts, pairs, axis=1)
        self._scores, self._counts = unique, counts


def thinned(precision: np.ndarray, recall: np.ndarray, most: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """At most `most` points of a curve in the order of rising recall, for a file or a plot.

    Only points where recall rises are kept: they are the corners of the curve. Of too many, half are spread
    evenly over recall and half over the logarithm of the rank, where the curve is most restless.

    >>> precision, recall = thinned(np.array([1, 0.5, 2 / 3]), np.array([0.5, 0.5, 1.0]))
    >>> precision.round(3), recall
    (array([1.   , 0.667]), array([0.5, 1. ]))
    """
    corners = np.flatnonzero(np.diff(recall, prepend=0.0) > 0)
    precision, recall = precision[corners], recall[corners]
    if len(recall) <= most:
        return precision, recall
    half = most // 2
    even = np.searchsorted(recall, np.linspace(recall[0], recall[-1], half))
    early = np.geomspace(1, len(recall), most - half).astype(np.int64) - 1
    kept = np.unique(np.concatenate([even, early]))
    return precision[kept], recall[kept]
