"""Precision-recall curves pooled over the queries of a class."""

import numpy as np

MAX_THRESHOLDS = 2048

Curve = tuple[np.ndarray, np.ndarray, float]


def curve_thresholds(relevant: np.ndarray) -> np.ndarray:
    """The distances at which a curve has points, float32 [t], ascending.

    All distinct distances of relevant pairs if there are at most 2,048 (the curve is then exact), else 2,048 quantiles.

    Args:
        relevant: distances of relevant pairs, all or a sample, of any shape; infinite ones are ignored.
    """
    thresholds = np.unique(relevant[np.isfinite(relevant)])
    if len(thresholds) > MAX_THRESHOLDS:
        thresholds = thresholds[np.linspace(0, len(thresholds) - 1, MAX_THRESHOLDS).astype(np.int64)]
    return thresholds


def pooled_curve(relevant: np.ndarray, retrieved: np.ndarray, n_relevant: int) -> Curve:
    """Precision and recall, float64 [t], at each threshold, and the AP.

    AP = sum over thresholds of (recall - recall at the threshold before) * precision, without interpolation, as in
    scikit-learn's `average_precision_score`; NaN without relevant pairs.

    Args:
        relevant: int64 [t], number of relevant pairs within each threshold, in ascending order.
        retrieved: int64 [t], number of all pairs within each threshold.
        n_relevant: number of relevant pairs, those that were not found included.

    >>> precision, recall, ap = pooled_curve(np.array([1, 2]), np.array([1, 3]), n_relevant=2)
    >>> precision.round(3), recall, round(ap, 4)
    (array([1.   , 0.667]), array([0.5, 1. ]), 0.8333)
    """
    if not n_relevant:
        return np.zeros(len(relevant)), np.zeros(len(relevant)), float("nan")
    precision, recall = relevant / np.maximum(retrieved, 1), relevant / n_relevant
    return precision, recall, float(np.sum(np.diff(recall, prepend=0.0) * precision))


def downsample_curve(precision: np.ndarray, recall: np.ndarray, max_points: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """The points of a curve at which recall rises, at most `max_points` of them, for a file or a plot.

    Of more, half are evenly spaced in recall, half in the logarithm of their number, as the curve changes most at the
    start.

    >>> precision, recall = downsample_curve(np.array([1, 0.5, 2 / 3]), np.array([0.5, 0.5, 1.0]))
    >>> precision.round(3), recall
    (array([1.   , 0.667]), array([0.5, 1. ]))
    """
    rising = np.flatnonzero(np.diff(recall, prepend=0.0) > 0)
    precision, recall = precision[rising], recall[rising]
    if len(recall) <= max_points:
        return precision, recall
    half = max_points // 2
    even = np.searchsorted(recall, np.linspace(recall[0], recall[-1], half))
    early = np.geomspace(1, len(recall), max_points - half).astype(np.int64) - 1
    kept = np.unique(np.concatenate([even, early]))
    return precision[kept], recall[kept]
