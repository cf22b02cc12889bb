"""The pooled precision-recall curve of every class."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

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
        self._gallery_labels = matched.gallery_labels.astype(np.int32)
        self._left = np.bincount(matched.query_labels, minlength=len(matched.class_names))
        self._pooled: dict[int, PooledCurve] = {}
        self._drawn: dict[str, tuple[np.ndarray, np.ndarray, float]] = {}

    def additions(self, ranked: Ranked) -> list[Callable[[], None]]:
        """Adds the rankings of the next queries, class by class: calls that do not depend on each other."""
        return [partial(self._add, ranked, label, its) for label, its in self._matched.of_each_class(ranked.part)]

    def drawn(self) -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
        """Class -> precision and recall, float64 [at most 500], and the AP of the whole curve."""
        return {name: self._drawn[name] for name in self._matched.class_names if name in self._drawn}

    def _add(self, ranked: Ranked, label: int, its: slice) -> None:
        distances, rows = ranked.pairs(slice(its.start - ranked.part.start, its.stop - ranked.part.start))
        relevant = self._gallery_labels[rows] == label
        missed = int(self._matched.n_relevant[its].sum()) - int(np.count_nonzero(relevant))
        pooled = self._pooled.setdefault(label, PooledCurve(MAX_POINTS))
        pooled.add(-distances, relevant, missed)
        self._left[label] -= its.stop - its.start
        if not self._left[label]:
            precision, recall, ap = pooled.curve()
            self._drawn[self._matched.class_names[label]] = (*thinned(precision, recall), ap)
            del self._pooled[label]
