"""Average precision and its two cut forms.

`relevant`, bool [q, m], rank 1 first; `n_relevant`, int [q], is R; results are float64 [q], NaN where R = 0.
"""

from __future__ import annotations

import numpy as np

from tfretrieval.evaluation.cutoff import checked_k, share


def average_precision(relevant: np.ndarray, n_relevant: np.ndarray, distances: np.ndarray | None = None) -> np.ndarray:
    """AP = (1/R) sum over all ranks i of P@i rel(i); relevant items beyond rank m count as never found.

    With `distances`, float [q, m] in rising order, items at equal distance are one step of the ranking: each
    takes the precision at the last of them, so that no order among them is lucky (as scikit-learn's
    `average_precision_score`). Without ties the value is the same.

    >>> average_precision(np.array([[True, False, True]]), np.array([2])).round(4)
    array([0.8333])
    >>> average_precision(np.array([[True, False]]), np.array([1]), np.array([[0.3, 0.3]]))
    array([0.5])
    """
    return share(_precision_sum(relevant, distances), n_relevant)


def map_at_r(relevant: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """MAP@R = (1/R) sum over ranks i <= R of P@i rel(i) (Musgrave et al. 2020, section 3.2).

    >>> map_at_r(np.array([[True, False, True]]), np.array([2]))
    array([0.5])
    """
    top = relevant[:, : n_relevant.max(initial=0)]
    ranks = np.arange(1, top.shape[1] + 1)
    return share(_precision_sum(top & (ranks <= n_relevant[:, None])), n_relevant)


def map_at_k(relevant: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """AP@k = (1/min(R, k)) sum over ranks i <= k of P@i rel(i).

    >>> map_at_k(np.array([[True, False, True]]), np.array([5]), k=2)
    array([0.5])
    """
    return share(_precision_sum(relevant[:, : checked_k(k)]), np.minimum(n_relevant, k))


def _precision_sum(relevant: np.ndarray, distances: np.ndarray | None = None) -> np.ndarray:
    found = np.cumsum(relevant, axis=1, dtype=np.int32)
    if distances is None:
        precision = found / np.arange(1, relevant.shape[1] + 1)
    else:
        last = _last_of_equals(distances)
        precision = np.take_along_axis(found, last, axis=1) / (last + 1)
    return np.einsum("ij,ij->i", precision, relevant)


def _last_of_equals(distances: np.ndarray) -> np.ndarray:
    m = distances.shape[1]
    ends = np.full(distances.shape, m - 1, np.int32)
    differ = distances[:, 1:] != distances[:, :-1]
    ends[:, :-1][differ] = np.broadcast_to(np.arange(m - 1, dtype=np.int32), differ.shape)[differ]
    return np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
