"""`Neighbors`: the result of every search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Neighbors:
    """The k nearest gallery rows of q queries, nearest first; equally near ones in the order of their rows.

    Attributes:
        distances: float32 [q, k], infinite where a query has fewer than k neighbors.
        rows: int64 [q, k], -1 there.
    """

    distances: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def first(self, k: int) -> Neighbors:
        """The first k neighbors."""
        return Neighbors(self.distances[:, :k], self.rows[:, :k])

    def excluding(self, rows: np.ndarray) -> Neighbors:
        """Without one gallery row per query, such as the query itself; the other neighbors move up.

        Args:
            rows: int [q], the row to exclude, or -1 for none.

        >>> Neighbors(np.float32([[0, 1], [1, 2]]), np.array([[7, 3], [5, 6]])).excluding(np.array([7, -1])).rows
        array([[ 3, -1],
               [ 5,  6]])
        """
        if (rows < 0).all():
            return self
        excluded = (self.rows == rows[:, None]) & (rows[:, None] >= 0)
        order = np.argsort(excluded, axis=1, kind="stable")
        distances, kept = np.where(excluded, np.float32(np.inf), self.distances), np.where(excluded, -1, self.rows)
        return Neighbors(np.take_along_axis(distances, order, axis=1), np.take_along_axis(kept, order, axis=1))

    def labels(self, gallery_labels: np.ndarray) -> np.ndarray:
        """Labels of the neighbors, int [q, k]; -1 for unknown classes and missing neighbors."""
        return np.append(gallery_labels, -1)[self.rows]
