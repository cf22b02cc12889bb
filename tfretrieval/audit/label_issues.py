"""Label issues: items whose embedding fits another class better than their own.

Each item is scored by a linear model of the classes fitted to all other items. For least squares the leave-one-out
predictions have a closed form, so the model is fitted once.

Sources: R. Rifkin and R. Lippert, Notes on Regularized Least Squares, MIT-CSAIL-TR-2007-025, section 3.3
(leave-one-out); C. Northcutt, L. Jiang and I. Chuang, Confident Learning, JAIR 70, 2021, section 3.1 (the threshold of
a class is the mean score of its own items).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tfretrieval.retrieval.distances import blocks

RIDGE = 0.5  # times the mean eigenvalue; results are the same from 0.1 to 3
MIN_CLASS_SIZE = 4
BLOCK = 8192


@dataclass(frozen=True, eq=False)
class LabelIssues:
    """Items whose label is probably wrong, highest score first.

    Attributes:
        rows: int64 [m].
        scores: float32 [m], 0..1: margin of the suggested class over the given one.
        suggested: int64 [m], the suggested class.
    """

    rows: np.ndarray
    scores: np.ndarray
    suggested: np.ndarray


def find_label_issues(vectors: np.ndarray, labels: np.ndarray) -> LabelIssues:
    """Find items that fit another class better than their own.

    Classes with fewer than four items and items without a label are ignored. Memory: two matrices [d, d] beside the
    input.

    Args:
        vectors: float32 [n, d], unit length or zeros.
        labels: int [n], -1 for unknown.

    >>> vectors = np.repeat(np.eye(2, dtype=np.float32), 8, axis=0)
    >>> issues = find_label_issues(vectors, np.array([0] * 7 + [1] * 9))
    >>> issues.rows, issues.suggested
    (array([7]), array([0]))
    """
    classes, counts = np.unique(labels[labels >= 0], return_counts=True)
    classes = classes[counts >= MIN_CLASS_SIZE]
    rows = np.flatnonzero(np.isin(labels, classes))
    if len(classes) < 2:
        empty = np.empty(0, np.int64)
        return LabelIssues(empty, empty.astype(np.float32), empty)
    targets = np.searchsorted(classes, labels[rows])
    predictions = LeaveOneOutRidge(vectors, rows, targets, len(classes))
    own_scores = np.concatenate([part[np.arange(len(part)), targets[block]] for block, part in predictions])
    thresholds = np.bincount(targets, own_scores) / np.bincount(targets)
    margins, others = np.empty(len(rows), np.float32), np.empty(len(rows), np.int64)
    for block, part in predictions:
        scores = part - thresholds
        own = np.arange(len(part)), targets[block]
        own_margin = scores[own]
        scores[own] = -np.inf
        others[block] = scores.argmax(axis=1)
        margins[block] = scores.max(axis=1) - own_margin
    order = np.argsort(-margins, kind="stable")
    order = order[margins[order] > 2 / len(rows)]  # leaving an item out moves its margin by up to this much
    return LabelIssues(rows[order], np.minimum(margins[order], 1), classes[others[order]])


class LeaveOneOutRidge:
    """Leave-one-out predictions of a ridge regression on one-hot classes.

    Iterating yields (slice, predictions float64 [b, c]) block by block: about 1 for the class that an item fits and 0
    for others.

    Args:
        vectors: float32 [n, d].
        rows: int64 [m], the items to fit and predict.
        targets: int64 [m], their classes, 0..c-1.
        n_classes: c.
    """

    # With the centered vectors X, targets Y and the inverse A of X'X + l I, an item x with target y, prediction p and
    # leverage h = 1/n + x'Ax has the leave-one-out prediction y + (p - y) / (1 - h).

    def __init__(self, vectors: np.ndarray, rows: np.ndarray, targets: np.ndarray, n_classes: int) -> None:
        self._vectors, self._rows, self._targets = vectors, rows, targets
        n, d = len(rows), vectors.shape[1]
        counts = np.bincount(targets, minlength=n_classes)
        total, gram, class_sums = np.zeros(d), np.zeros((d, d)), np.zeros((n_classes, d))
        for block in blocks(n, BLOCK):
            part = vectors[rows[block]]
            total += part.sum(axis=0, dtype=np.float64)
            gram += part.T @ part
            for label in np.unique(targets[block]):
                class_sums[label] += part[targets[block] == label].sum(axis=0, dtype=np.float64)
        self._mean, self._priors = total / n, counts / n
        gram -= n * np.outer(self._mean, self._mean)
        self.ridge = RIDGE * max(np.trace(gram) / d, np.finfo(np.float32).tiny)
        self._inverse = np.linalg.inv(gram + self.ridge * np.eye(d))
        self._weights = self._inverse @ (class_sums - np.outer(counts, self._mean)).T

    def __iter__(self) -> Iterator[tuple[slice, np.ndarray]]:
        n = len(self._rows)
        for block in blocks(n, BLOCK):
            part = self._vectors[self._rows[block]] - self._mean
            leverage = 1 / n + np.einsum("id,id->i", part @ self._inverse, part)
            one_hot = np.eye(len(self._priors))[self._targets[block]]
            predicted = self._priors + part @ self._weights
            yield block, one_hot + (predicted - one_hot) / np.maximum(1 - leverage, 1e-6)[:, None]
