"""Retrieval metrics: pure functions of the ranks of the relevant items.

`ranks`, int64 [q, r], holds the ranks of the relevant items of each query in ascending order, 1 for the nearest
gallery item, and `NOT_FOUND` for items that are not in the ranking. `n_relevant`, int [q], is R, the number of relevant
items in the gallery. All functions return one value per query, float64 [q]; it is NaN where R is the denominator and 0.
"""

import numpy as np

from tfretrieval.errors import UserError

NOT_FOUND = np.iinfo(np.int64).max


def ranks_of(relevant: np.ndarray) -> np.ndarray:
    """Ranks of the relevant items, int64 [q, r], from their flags.

    Args:
        relevant: bool [q, m], whether the item at each rank is relevant, rank 1 first.

    >>> ranks_of(np.array([[True, False, True]]))
    array([[1, 3]])
    """
    rows, columns = np.nonzero(relevant)
    counts = np.bincount(rows, minlength=len(relevant))
    ranks = np.full((len(relevant), max(1, counts.max(initial=0))), NOT_FOUND)
    ranks[rows, np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]] = columns + 1
    return ranks


def precision_at_k(ranks: np.ndarray, k: int) -> np.ndarray:
    """P@k = relevant items in the top k / k.

    >>> precision_at_k(np.array([[1, 3, 4]]), k=3).round(3)
    array([0.667])
    """
    return _count(ranks, k) / k


def hit_rate_at_k(ranks: np.ndarray, k: int) -> np.ndarray:
    """1 if the top k hold a relevant item, else 0 (Recall@k in papers on metric learning).

    >>> hit_rate_at_k(np.array([[2], [3]]), k=2)
    array([1., 0.])
    """
    return (_count(ranks, k) > 0).astype(np.float64)


def recall_at_k(ranks: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """Relevant items in the top k / R.

    >>> recall_at_k(np.array([[1, 3]]), np.array([4]), k=3)
    array([0.5])
    """
    return _ratio(_count(ranks, k), n_relevant)


def ndcg_at_k(ranks: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """DCG@k / DCG@k of a perfect ranking, with DCG@k = sum of 1 / log2(rank + 1) over relevant items in the top k.

    >>> ndcg_at_k(np.array([[2, 3]]), np.array([1]), k=2).round(4)
    array([0.6309])
    """
    _check_k(k)
    gains = np.where(ranks <= k, 1 / np.log2(np.minimum(ranks, k) + 1.0), 0).sum(axis=1)
    ideal = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    return _ratio(gains, ideal[np.minimum(n_relevant, k)])


def reciprocal_rank(ranks: np.ndarray) -> np.ndarray:
    """1 / rank of the first relevant item, 0 if there is none; its mean is the MRR.

    >>> reciprocal_rank(np.array([[2, 3], [NOT_FOUND, NOT_FOUND]]))
    array([0.5, 0. ])
    """
    return np.where(ranks[:, 0] == NOT_FOUND, 0.0, 1 / ranks[:, 0])


def r_precision(ranks: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """P@R = relevant items in the top R / R.

    >>> r_precision(np.array([[1, 3]]), np.array([2]))
    array([0.5])
    """
    return _ratio((ranks <= n_relevant[:, None]).sum(axis=1), n_relevant)


def average_precision(precisions: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """AP = (1/R) sum of the precision at every relevant item.

    Args:
        precisions: float64 [q, r], precision at each relevant item, 0 if it is not in the ranking; see
            `precisions_at`. Items at equal distance share the precision at the last of them, so that their order does
            not matter (as in scikit-learn's `average_precision_score`).
        n_relevant: R.

    >>> average_precision(precisions_at(np.array([[1, 3]])), np.array([2])).round(4)
    array([0.8333])
    """
    return _ratio(precisions.sum(axis=1), n_relevant)


def precisions_at(ranks: np.ndarray) -> np.ndarray:
    """Precision at the rank of every relevant item, float64 [q, r]; 0 for items that are not found.

    >>> precisions_at(np.array([[1, 4, NOT_FOUND]]))
    array([[1. , 0.5, 0. ]])
    """
    return np.where(ranks == NOT_FOUND, 0.0, np.arange(1, ranks.shape[1] + 1) / ranks)


def map_at_r(ranks: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
    """MAP@R = (1/R) sum of the precision at the relevant items in the top R (Musgrave et al. 2020, section 3.2).

    >>> map_at_r(np.array([[1, 3]]), np.array([2]))
    array([0.5])
    """
    return _ratio(np.where(ranks <= n_relevant[:, None], precisions_at(ranks), 0).sum(axis=1), n_relevant)


def map_at_k(ranks: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """AP@k = (1/min(R, k)) sum of the precision at the relevant items in the top k.

    >>> map_at_k(np.array([[1, 3]]), np.array([5]), k=2)
    array([0.5])
    """
    _check_k(k)
    return _ratio(np.where(ranks <= k, precisions_at(ranks), 0).sum(axis=1), np.minimum(n_relevant, k))


def expected_average_precision(n_relevant: float, n: int) -> float:
    """Mean AP of all orders of n items of which R are relevant.

    A relevant item is equally likely at each rank i, and of the i - 1 items before it (R - 1) / (n - 1) are relevant on
    average: AP = (1/n) sum over i of (1 + (i - 1) (R - 1) / (n - 1)) / i.

    >>> expected_average_precision(1, 2), expected_average_precision(5, 5)
    (0.75, 1.0)
    """
    if n == 1:
        return 1.0
    harmonic = float((1 / np.arange(1, n + 1)).sum())
    return harmonic / n + (n_relevant - 1) / (n - 1) * (1 - harmonic / n)


def _count(ranks: np.ndarray, k: int) -> np.ndarray:
    _check_k(k)
    return (ranks <= k).sum(axis=1)


def _check_k(k: int) -> None:
    if k < 1:
        raise UserError(f"k must be 1 or more, not {k}")


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    undefined = np.full(len(numerator), np.nan)
    return np.divide(numerator, denominator, out=undefined, where=np.asarray(denominator) > 0)
