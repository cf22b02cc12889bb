"""The kind `knn`: scikit-learn's brute-force neighbors."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfretrieval.retrieval.base import Retriever
from tfretrieval.retrieval.blocks import blocks
from tfretrieval.retrieval.order import MATRIX_CELLS

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors

    from tfretrieval.retrieval.items import Items


class KNNRetriever(Retriever):
    """Exact neighbors by scikit-learn's `NearestNeighbors`; saved as the vectors themselves.

    >>> retriever = KNNRetriever().fit([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    >>> distances, rows = retriever.kneighbors([[0.0, 0.0]], n_neighbors=3)
    >>> distances.tolist(), rows.tolist()
    ([[0.0, 1.0, 5.0]], [[0, 2, 1]])
    """

    kind = "knn"
    data_file = "vectors.npy"

    def __init__(self, metric: str = "euclidean") -> None:
        self.metric = metric

    def _build(self, vectors: np.ndarray, items: Items | None = None) -> None:
        self.vectors_ = vectors
        self.__dict__.pop("nearest_", None)

    @cached_property
    def nearest_(self) -> NearestNeighbors:
        """Scikit-learn's neighbors of the vectors, made when they are first searched."""
        from sklearn import config_context
        from sklearn.neighbors import NearestNeighbors

        with config_context(assume_finite=True):
            return NearestNeighbors(algorithm="brute", metric=self.metric).fit(self.vectors_)

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        found = [
            self.nearest_.kneighbors(queries[block], k)
            for block in blocks(len(queries), MATRIX_CELLS // len(self.vectors_))
        ]
        return np.concatenate([d for d, _ in found]), np.concatenate([rows for _, rows in found])

    def _stored_vectors(self) -> np.ndarray:
        return self.vectors_

    def _write(self, path: Path) -> None:
        np.save(path, self.vectors_, allow_pickle=False)

    def _read(self, path: Path, mmap: bool) -> None:
        vectors = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
        if vectors.shape != (self.n_items_, self.n_features_in_):
            raise ValueError(f"{path.name} has the shape {vectors.shape}")
        self._build(vectors)

    def _append(self, vectors: np.ndarray, items: Items | None) -> None:
        self._build(np.concatenate([self.vectors_, vectors]))

    def _keep(self, kept: np.ndarray) -> None:
        self._build(self.vectors_[kept])
