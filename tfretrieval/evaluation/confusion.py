"""The confusion matrix of the nearest neighbor."""

from __future__ import annotations

import numpy as np


def confusion_counts(query_labels: np.ndarray, nearest_labels: np.ndarray, n_classes: int) -> np.ndarray:
    """Int64 [c, c]: how many queries of the class of the row have a nearest neighbor of that of the column.

    Args:
        query_labels: int [q], 0..c-1.
        nearest_labels: int [q], 0..c-1.
        n_classes: c.

    >>> confusion_counts(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    cells = query_labels.astype(np.int64) * n_classes + nearest_labels
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


def confusion_shares(counts: np.ndarray) -> np.ndarray:
    """Float64 [c, c]: each cell's share of all queries; 0 where there are none.

    >>> confusion_shares(np.array([[1, 1], [0, 2]]))
    array([[0.25, 0.25],
           [0.  , 0.5 ]])
    """
    return counts / max(int(counts.sum()), 1)
