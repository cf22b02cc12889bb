"""Precision-recall curves pooled over many queries, in bounded memory."""

from __future__ import annotations

import numpy as np

from tfretrieval.errors import UserError
from tfretrieval.evaluation.tally import Tally, merged, tallied
from tfretrieval.retrieval.blocks import blocks

GATHERED = 8  # times as many pairs as points are counted at once


class PooledCurve:
    """One ranking of all (query, item) pairs by score, as counts at each threshold.

    Exact as long as there are at most `max_points` different scores. Beyond that the last bits of the float32
    scores are dropped, as few as will do, and scores that then agree count as equal. The order in which pairs
    come does not change the result.

    Args:
        max_points: 2 or more; memory is about 300 bytes for each.

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
        self._tally = Tally.empty()
        self._missed = 0
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, scores: np.ndarray, relevant: np.ndarray, missed: int = 0) -> None:
        """Put pairs into the ranking.

        Args:
            scores: float [m], greater = nearer. Kept as they are, not copied: leave them alone.
            relevant: bool [m], likewise.
            missed: number of relevant pairs that have no score, because they were never returned.
        """
        self._missed += missed
        for part in blocks(len(scores), GATHERED * self.max_points):
            self._waiting.append((np.asarray(scores[part], np.float32), np.asarray(relevant[part], bool)))
            if sum(len(kept) for kept, _ in self._waiting) >= GATHERED * self.max_points:
                self._merge()

    def curve(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Precision and recall, float64 [points], at each threshold from the highest score down, and the AP.

        AP = sum over thresholds of (recall - recall at the threshold before) * precision, not interpolated,
        as scikit-learn's `average_precision_score`; NaN without relevant pairs.
        """
        self._merge()
        relevant, others = np.cumsum(self._tally.counts[:, ::-1], axis=1)
        total = int(self._tally.counts[0].sum()) + self._missed
        if not total:
            return np.zeros(len(relevant)), np.zeros(len(relevant)), float("nan")
        precision = relevant / np.maximum(relevant + others, 1)
        recall = relevant / total
        return precision, recall, float(np.sum(np.diff(recall, prepend=0.0) * precision))

    def _merge(self) -> None:
        if self._waiting:
            scores, relevances = (np.concatenate(parts) for parts in zip(*self._waiting))
            self._waiting = []
            new = tallied(scores, relevances, self._tally.dropped, self.max_points)
            self._tally = merged(self._tally, new, self.max_points)


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
