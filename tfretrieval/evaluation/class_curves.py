"""The pooled precision-recall curve of every class."""

from __future__ import annotations

import numpy as np

from tfretrieval.evaluation.curves import PooledCurve, thinned
from tfretrieval.evaluation.matching import Matched

TOTAL_POINTS = 4_000_000
LEAST_POINTS = 1000


class ClassCurves:
    """Gathers the rankings of a matched set of queries, block by block, in bounded memory."""

    def __init__(self, matched: Matched) -> None:
        self._matched = matched
        labels = np.unique(matched.query_labels).tolist()
        self._of = {label: PooledCurve(max(LEAST_POINTS, TOTAL_POINTS // len(labels))) for label in labels}

    def add(self, part: slice, distances: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> None:
        """Add the rankings of the queries in `part`: distances, rows and class labels, [block, depth]."""
        query_labels, n_relevant = self._matched.query_labels[part], self._matched.n_relevant[part]
        for label in np.unique(query_labels).tolist():
            its = query_labels == label
            found = rows[its] >= 0
            relevant = (labels[its] == label)[found]
            missed = int(n_relevant[its].sum() - relevant.sum())
            self._of[label].add(-distances[its][found], relevant, missed)

    def drawn(self) -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
        """Class -> precision and recall, float64 [at most 500], and the AP of the whole curve."""
        drawn = {}
        for label, pooled in self._of.items():
            precision, recall, ap = pooled.curve()
            drawn[self._matched.class_names[label]] = (*thinned(precision, recall), ap)
        return drawn
