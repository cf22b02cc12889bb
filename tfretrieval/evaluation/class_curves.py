"""The pooled precision-recall curve of every class."""

from __future__ import annotations

import numpy as np

from tfretrieval.evaluation.curves import PooledCurve, thinned
from tfretrieval.evaluation.matching import Matched
from tfretrieval.evaluation.rankings import Ranked

MAX_POINTS = 1 << 18


class ClassCurves:
    """Gathers the rankings of a matched set of queries that come class after class, in bounded memory.

    Args:
        matched: in the order in which the rankings come, that of the classes.
    """

    def __init__(self, matched: Matched) -> None:
        self._matched = matched
        self._left = np.bincount(matched.query_labels, minlength=len(matched.class_names))
        self._pooled = PooledCurve(MAX_POINTS)
        self._drawn: dict[str, tuple[np.ndarray, np.ndarray, float]] = {}

    def add(self, ranked: Ranked) -> None:
        """Add the rankings of the next queries."""
        for label, its in self._matched.of_each_class(ranked.part):
            here = slice(its.start - ranked.part.start, its.stop - ranked.part.start)
            self._add(label, its, ranked.distances[here], ranked.relevant(here, label), ranked.limits[here][0])

    def drawn(self) -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
        """Class -> precision and recall, float64 [at most 500], and the AP of the whole curve."""
        return self._drawn

    def _add(self, label: int, its: slice, distances: np.ndarray, relevant: np.ndarray, limit: float) -> None:
        """Items beyond the last relevant one of the class change neither its recall nor its AP."""
        kept = distances <= limit
        hits = np.broadcast_to(relevant, distances.shape)[kept]
        missed = int(self._matched.n_relevant[its].sum()) - int(np.count_nonzero(hits))
        self._pooled.add(-distances[kept], hits, missed)
        self._left[label] -= len(distances)
        if not self._left[label]:
            precision, recall, ap = self._pooled.curve()
            self._drawn[self._matched.class_names[label]] = (*thinned(precision, recall), ap)
            self._pooled = PooledCurve(MAX_POINTS)
