"""Metrics of retrieval: pure functions of rankings.

All take `relevant`, bool [q, m]: whether the item at each rank is relevant, rank 1 first; ranks beyond m
count as not relevant. `n_relevant`, int [q], is R, the number of relevant items in the whole gallery.
All return float64 [q], a value a query; it is NaN where R is the denominator and 0.
"""

from __future__ import annotations

import numpy as np

from tfretrieval.evaluation.average_precision import average_precision, map_at_k, map_at_r
from tfretrieval.evaluation.cutoff import checked_k, share

__all__ = [
    "average_precision",
    "hit_rate_at_k",
    "map_at_k",
    "map_at_r",
    "ndcg_at_k",
    "precision_at_k",
    "r_precision",
    "recall_at_k",
    "reciprocal_rank",
]


def precision_at_k(relevant: np.ndarray, k: int) -> np.ndarray:
    """P@k = relevant in the top k / k.

    >>> precision_at_k(np.array([[True, False, True, True]]), k=3).round(3)
    array([0.667])
    """
    return _found(relevant, k) / k


def hit_rate_at_k(relevant: np.ndarray, k: int) -> np.ndarray:
    """1 where any of the top k is relevant, else 0 (Recall@k in papers on metric learning).

    >>> hit_rate_at_k(np.array([[False, True], [False, False]]), k=2)
    array([1., 0.])
    """
    return (_found(relevant, k) > 0).astype(np.float64)


def recall_at_k(relevant: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """Relevant in the top k / R.

    >>> recall_at_k(np.array([[True, False, True]]), np.array([4]), k=3)
    array([0.5])
    """
    return share(_found(relevant, k), n_relevant)


def r_precision(relevant: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """P@R = relevant in the top R / R.

    >>> r_precision(np.array([[True, False, True]]), np.array([2]))
    array([0.5])
    """
    ranks = np.arange(1, relevant.shape[1] + 1)
    return share((relevant & (ranks <= n_relevant[:, None])).sum(axis=1), n_relevant)


def reciprocal_rank(relevant: np.ndarray) -> np.ndarray:
    """1 / rank of the first relevant item, 0 where there is none; its mean is the MRR.

    >>> reciprocal_rank(np.array([[False, True, True], [False, False, False]]))
    array([0.5, 0. ])
    """
    if not relevant.shape[1]:
        return np.zeros(len(relevant))
    return np.where(relevant.any(axis=1), 1 / (1 + relevant.argmax(axis=1)), 0.0)


def ndcg_at_k(relevant: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """DCG@k / the DCG@k of a perfect ranking, with DCG@k = sum over i <= k of rel(i) / log2(i + 1).

    >>> ndcg_at_k(np.array([[False, True, True]]), np.array([1]), k=2).round(4)
    array([0.6309])
    """
    top = relevant[:, : checked_k(k)]
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(n_relevant, k)]
    return share(top @ discounts[: top.shape[1]], ideal)


def _found(relevant: np.ndarray, k: int) -> np.ndarray:
    return relevant[:, : checked_k(k)].sum(axis=1)
