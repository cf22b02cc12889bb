"""Classification by the vote of the nearest neighbors."""

from __future__ import annotations

import numpy as np


def majority_vote(neighbor_labels: np.ndarray) -> np.ndarray:
    """The most frequent label of each row, int [q]; of equally frequent ones that whose first item is nearer.

    Args:
        neighbor_labels: int [q, k], nearest first; -1 is no vote, and a row of nothing else elects -1.

    >>> majority_vote(np.array([[2, 1, 1, 2, 0], [-1, -1, 3, -1, -1]]))
    array([2, 3])
    """
    votes = (neighbor_labels[:, :, None] == neighbor_labels[:, None, :]).sum(axis=2)
    votes[neighbor_labels < 0] = 0
    winner = votes.argmax(axis=1)[:, None]
    return np.take_along_axis(neighbor_labels, winner, axis=1)[:, 0]


def knn_accuracy(neighbor_labels: np.ndarray, query_labels: np.ndarray) -> np.ndarray:
    """1 where the vote names the query's class, else 0; float64 [q].

    Args:
        neighbor_labels: int [q, k], nearest first, -1 for no vote.
        query_labels: int [q], 0 or more.

    >>> knn_accuracy(np.array([[0, 1, 1], [0, 0, 1]]), np.array([1, 1]))
    array([1., 0.])
    """
    return (majority_vote(neighbor_labels) == query_labels).astype(np.float64)
