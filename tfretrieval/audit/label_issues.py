"""Labels that are probably wrong, from vectors: what all other items say of each.

A linear model of the classes, fitted without an item, says how much it looks like its own class and how much like
others. Least squares has this answer for every item in closed form, so that no model is fitted twice.

Sources: R. Rifkin and R. Lippert, Notes on Regularized Least Squares, MIT-CSAIL-TR-2007-025, section 3.3 (leaving one
out); C. Northcutt, L. Jiang and I. Chuang, Confident Learning, JAIR 70, 2021, section 3.1 (the threshold of a class is
the mean of its own items).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

RIDGE = 0.5  # times the mean eigenvalue; any from 0.1 to 3 does as well
FEWEST = 4  # items of a class that is judged
BLOCK = 8192


@dataclass(frozen=True, eq=False)
class Suspects:
    """Items whose label is doubted, the most doubtful first.

    Attributes:
        rows: int64 [m], which items.
        scores: float32 [m], 0 to 1: by how much another class is more likely than the own, 1 where that is certain.
        suggested: int64 [m], that class.
    """

    rows: np.ndarray
    scores: np.ndarray
    suggested: np.ndarray


def label_suspects(vectors: np.ndarray, labels: np.ndarray) -> Suspects:
    """Find the items that look more like another class than like their own.

    Items of classes with fewer than four are neither judged nor evidence, nor are those of unknown class. Memory holds
    two matrices [d, d] beside the input.

    Args:
        vectors: float32 [n, d], of norm 1 or zeros.
        labels: int [n], -1 for unknown.

    >>> vectors = np.repeat(np.eye(2, dtype=np.float32), 8, axis=0)
    >>> found = label_suspects(vectors, np.array([0] * 7 + [1] * 9))
    >>> found.rows, found.suggested
    (array([7]), array([0]))
    """
    classes, counts = np.unique(labels[labels >= 0], return_counts=True)
    classes = classes[counts >= FEWEST]
    rows = np.flatnonzero(np.isin(labels, classes))
    if len(classes) < 2:
        nothing = np.empty(0, np.int64)
        return Suspects(nothing, nothing.astype(np.float32), nothing)
    own = np.searchsorted(classes, labels[rows])
    scores = LeaveOneOut(vectors, rows, own, len(classes))
    threshold = _means(np.concatenate([part[np.arange(len(part)), own[at]] for at, part in scores]), own)
    margin, other = np.empty(len(rows), np.float32), np.empty(len(rows), np.int64)
    for at, part in scores:
        above = part - threshold
        mine = above[np.arange(len(part)), own[at]].copy()
        above[np.arange(len(part)), own[at]] = -np.inf
        other[at] = above.argmax(axis=1)
        margin[at] = above.max(axis=1) - mine
    ranked = np.argsort(-margin, kind="stable")
    ranked = ranked[margin[ranked] > 2 / len(rows)]  # less than that an item moves by itself, when it is left out
    return Suspects(rows[ranked], np.minimum(margin[ranked], 1), classes[other[ranked]])


class LeaveOneOut:
    """What ridge regression on the classes, one-hot, says of each item when it is fitted to all others.

    Iterated over, it gives (slice, predictions float64 [b, c]) block by block: about 1 for the class that an item looks
    like and 0 for others.

    Args:
        vectors: float32 [n, d].
        rows: int64 [m], the items that are fitted and judged.
        own: int64 [m], their classes, 0..c-1.
        c: how many classes.
    """

    # With the centerd vectors X, targets Y, the inverse A of X'X + l I, an item x with target y, its prediction p and
    # its leverage h = 1/n + x'Ax, the prediction without it is y + (p - y) / (1 - h).

    def __init__(self, vectors: np.ndarray, rows: np.ndarray, own: np.ndarray, c: int) -> None:
        self._vectors, self._rows, self._own = vectors, rows, own
        n, d = len(rows), vectors.shape[1]
        counts = np.bincount(own, minlength=c)
        total, gram, sums = np.zeros(d), np.zeros((d, d)), np.zeros((c, d))
        for at in self._blocks():
            part = vectors[rows[at]]
            total += part.sum(axis=0, dtype=np.float64)
            gram += part.T @ part
            for label in np.unique(own[at]):
                sums[label] += part[own[at] == label].sum(axis=0, dtype=np.float64)
        self._mean, self._share = total / n, counts / n
        gram -= n * np.outer(self._mean, self._mean)
        self.ridge = RIDGE * max(np.trace(gram) / d, np.finfo(np.float32).tiny)
        self._inverse = np.linalg.inv(gram + self.ridge * np.eye(d))
        self._weights = self._inverse @ (sums - np.outer(counts, self._mean)).T

    def __iter__(self) -> Iterator[tuple[slice, np.ndarray]]:
        n = len(self._rows)
        for at in self._blocks():
            part = self._vectors[self._rows[at]] - self._mean
            leverage = 1 / n + np.einsum("id,id->i", part @ self._inverse, part)
            target = np.eye(len(self._share))[self._own[at]]
            predicted = self._share + part @ self._weights
            yield at, target + (predicted - target) / np.maximum(1 - leverage, 1e-6)[:, None]

    def _blocks(self) -> Iterator[slice]:
        return (slice(start, start + BLOCK) for start in range(0, len(self._rows), BLOCK))


def _means(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    return np.bincount(groups, values) / np.bincount(groups)
