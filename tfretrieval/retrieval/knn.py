"""The retriever `knn`: brute-force search by scikit-learn."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfretrieval.retrieval.base import DistancesAndRows, Retriever, Where, kept_rows
from tfretrieval.retrieval.exact import exact_neighbors, neighbors_among
from tfretrieval.vectors import checked_vectors

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors
    from typing_extensions import Self


class KNNRetriever(Retriever):
    """Exact search by scikit-learn's `NearestNeighbors`; saved as the vectors themselves.

    >>> retriever = KNNRetriever().fit([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    >>> distances, rows = retriever.kneighbors([[0.0, 0.0]], n_neighbors=3)
    >>> distances.tolist(), rows.tolist()
    ([[0.0, 1.0, 5.0]], [[0, 2, 1]])
    """

    type_name = "knn"
    data_file = "vectors.npy"
    vectors_: np.ndarray

    def __init__(self, metric: str = "euclidean") -> None:
        self.metric = metric

    @property
    def is_exact(self) -> bool:
        return True

    def kneighbors_among(self, X: Any, n_neighbors: int, rows: np.ndarray, where: Where) -> DistancesAndRows:
        """The nearest of some gallery rows, see `Filterable`."""
        self._check_fitted()
        return neighbors_among(self, self.vectors_, X, n_neighbors, rows)

    def add(self, X: Any) -> Self:
        """Append vectors, see `Updatable`."""
        self._check_changeable()
        added = self._prepare(checked_vectors(X, "vectors", self.n_features_in_))
        return self._change(np.concatenate([self.vectors_, added]))

    def remove(self, rows: np.ndarray) -> Self:
        """Remove rows, see `Updatable`."""
        self._check_changeable()
        return self._change(self.vectors_[kept_rows(self.n_items_, rows)])

    @cached_property
    def nearest_(self) -> NearestNeighbors:
        """The fitted scikit-learn estimator, created on first search."""
        from sklearn.neighbors import NearestNeighbors

        return NearestNeighbors(algorithm="brute", metric=self.metric).fit(self.vectors_)

    def _change(self, vectors: np.ndarray) -> Self:
        self._build(vectors)
        self.n_items_ = len(vectors)
        return self

    def _build(self, vectors: np.ndarray) -> None:
        self.vectors_ = vectors
        self.__dict__.pop("nearest_", None)

    def _search(self, queries: np.ndarray, k: int) -> DistancesAndRows:
        def search(part: np.ndarray, k: int) -> np.ndarray:
            return np.asarray(self.nearest_.kneighbors(part, k, return_distance=False))

        return exact_neighbors(search, queries, self.vectors_, k, self.metric)

    def _write(self, path: Path) -> None:
        np.save(path, self.vectors_, allow_pickle=False)

    def _read(self, path: Path, mmap: bool) -> None:
        vectors = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
        if vectors.shape != (self.n_items_, self.n_features_in_):
            raise ValueError(f"{path.name} has the shape {vectors.shape}")
        self._build(vectors)
