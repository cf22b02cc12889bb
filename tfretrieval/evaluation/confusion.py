"""The confusion matrix of the nearest neighbor."""

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


def confused_pairs(counts: np.ndarray, n: int) -> list[tuple[int, int]]:
    """Return the n most frequently confused pairs (true class, class of the nearest neighbor), most frequent first.

    Args:
        counts: int [c, c], row = true class.
        n: number of pairs; pairs without a query are left out.

    >>> confused_pairs(np.array([[5, 0, 1], [2, 5, 0], [0, 0, 5]]), 3)
    [(1, 0), (0, 2)]
    """
    errors = counts - np.diag(np.diag(counts))
    cells = np.argsort(-errors, axis=None, kind="stable")[:n]
    return [divmod(int(cell), len(errors)) for cell in cells if errors.flat[cell]]


def row_fractions(counts: np.ndarray) -> np.ndarray:
    """Return each cell as a fraction of its row, the queries of the true class.

    Args:
        counts: int [c, c], row = true class.

    Returns:
        float64 [c, c], 0..1; zeros in rows without queries.

    >>> row_fractions(np.array([[1, 1], [0, 2]]))
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
