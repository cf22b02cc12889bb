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


def confusion_row_shares(counts: np.ndarray) -> np.ndarray:
    """Return the share of each cell of its row, the queries of the true class.

    Args:
        counts: int [c, c], row = true class.

    Returns:
        float64 [c, c], 0..1; zeros in rows without queries.

    >>> confusion_row_shares(np.array([[1, 1], [0, 2]]))
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
