"""`Retriever`: the contract of all kinds."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tfretrieval.errors import UserError
from tfretrieval.estimator import Estimator
from tfretrieval.retrieval import files
from tfretrieval.retrieval.blocks import blocks
from tfretrieval.retrieval.distances import all_distances, pair_distances
from tfretrieval.retrieval.exact import exact_neighbors
from tfretrieval.retrieval.order import in_order
from tfretrieval.retrieval.radius import expected_within, parts_within, within_radius
from tfretrieval.retrieval.threads import in_threads
from tfretrieval.vectors import checked_vectors, unit_rows

if TYPE_CHECKING:
    from typing_extensions import Self

    from tfretrieval.retrieval.items import Items

METRICS = ("euclidean", "cosine")
RESULT_CELLS = 1 << 22


class Retriever(Estimator, ABC):
    """Finds the nearest rows of a gallery.

    Distances agree between kinds: Euclidean (not squared) or cosine (1 - cosine similarity, 1 for a vector of
    zeros). An exact kind computes those it returns by difference, takes the lower row first where two are
    equal, and answers a large k by other ways than its index (`exact_neighbors`).

    Args:
        metric: "euclidean" or "cosine".

    Attributes:
        most_neighbors: the largest k; None for no limit.
        replaces: whether `fit` may drop what stands for vectors of another model, where a kind keeps them elsewhere.
    """

    kind: ClassVar[str]
    data_file: ClassVar[str]
    more_files: ClassVar[tuple[str, ...]] = ()
    most_neighbors: ClassVar[int | None] = None
    metric: str
    mapped_ = False
    replaces = False

    def fit(self, X: Any, y: None = None, items: Items | None = None) -> Self:
        """Index the gallery, [n, d] finite numbers; its rows are what `kneighbors` names.

        Args:
            X: the vectors.
            y: not used.
            items: what the vectors stand for, for a kind that keeps it.

        Raises:
            UserError: an option is not valid, or the vectors are not.
        """
        if self.metric not in METRICS:
            raise UserError(f"{self.metric!r} is not a metric; choose from {', '.join(METRICS)}")
        vectors = checked_vectors(X, "gallery vectors")
        if not len(vectors):
            raise UserError("the gallery is empty: there is nothing to index")
        self._build(self._prepared(vectors), items)
        self.mapped_ = False
        self.n_items_, self.n_features_in_ = vectors.shape
        return self

    def kneighbors(self, X: Any, n_neighbors: int = 5) -> tuple[np.ndarray, np.ndarray]:
        """The nearest gallery rows of each query, nearest first.

        Args:
            X: [q, d] finite numbers.
            n_neighbors: k, 1..n.

        Returns:
            distances, float32 [q, k], and rows, int64 [q, k]. An approximate index that finds fewer than k
            fills up with row -1 at distance infinity.

        Raises:
            UserError: it is not fitted, the queries are not finite or of another d, k is out of range.
        """
        self._check_fitted()
        if not 1 <= n_neighbors <= self.n_items_:
            raise UserError(
                f"cannot return {n_neighbors} neighbors: the gallery has {self.n_items_} items, "
                f"so choose 1 to {self.n_items_}"
            )
        queries = self._prepared(checked_vectors(X, "queries", self.n_features_in_))
        distances = np.empty((len(queries), n_neighbors), np.float32)
        rows = np.empty((len(queries), n_neighbors), np.int64)
        vectors = self._stored_vectors()
        for block in blocks(len(queries), RESULT_CELLS // n_neighbors):
            if vectors is None:
                found = in_order(*self._search(queries[block], n_neighbors))
            else:
                found = exact_neighbors(self._search, queries[block], vectors, n_neighbors, self.metric)
            distances[block], rows[block] = found
        return distances, rows

    def kneighbors_where(
        self, X: Any, n_neighbors: int, items: Items, classes: Sequence[str] = (), splits: Sequence[str] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nearest of the gallery rows that are of some classes and some splits.

        Args:
            X: [q, d] finite numbers.
            n_neighbors: k, 1 to the number of those rows.
            items: what the gallery's rows stand for.
            classes: names of classes; all where none is given.
            splits: names of splits; likewise.

        Returns:
            as `kneighbors`.

        Raises:
            UserError: there are fewer such items than k, or the index is approximate and of a kind without filters.
        """
        self._check_fitted()
        rows = items.rows_where(classes, splits)
        if not 1 <= n_neighbors <= len(rows):
            raise UserError(f"cannot return {n_neighbors} neighbors: the filter leaves {len(rows)} gallery items")
        queries = self._prepared(checked_vectors(X, "queries", self.n_features_in_))
        return self._search_where(queries, n_neighbors, rows, classes, splits)

    def radius_neighbors(self, X: Any, radii: Any) -> list[tuple[np.ndarray, np.ndarray]]:
        """All gallery rows at most so far from each query, by an exact kind only.

        Args:
            X: [q, d] finite numbers.
            radii: a distance, or one for each query, [q].

        Returns:
            of each query, distances float32 [m] and rows int64 [m], in the order of the rows.

        Raises:
            UserError: it is not fitted or not exact, or the queries are not finite or of another d.
        """
        queries, vectors = self._pair_of_exact(X)
        every = _each(radii, len(queries))
        parts = parts_within(queries, vectors, every, self.metric)
        found = in_threads(lambda part: within_radius(queries[part], vectors, every[part], self.metric), parts)
        return [near for part in found for near in part]

    def expected_within(self, X: Any, radii: Any) -> np.ndarray:
        """About how many rows `radius_neighbors` would find for each query, from a sample: float64 [q], above 0.

        Raises:
            UserError: as `radius_neighbors`.
        """
        return expected_within(*self._pair_of_exact(X), _each(radii, len(X)), self.metric)

    def distances(self, X: Any, rows: np.ndarray) -> np.ndarray:
        """From each query to some of the gallery rows, by an exact kind only.

        Args:
            X: [q, d] finite numbers.
            rows: int [m], which rows.

        Returns:
            float32 [q, m].

        Raises:
            UserError: as `radius_neighbors`.
        """
        queries, vectors = self._pair_of_exact(X)
        return all_distances(queries, vectors[rows], self.metric)

    def distances_to(self, X: Any, rows: np.ndarray) -> np.ndarray:
        """From each query to rows of its own, by an exact kind only.

        Args:
            X: [q, d] finite numbers.
            rows: int [q, k].

        Returns:
            float32 [q, k].

        Raises:
            UserError: as `radius_neighbors`.
        """
        queries, vectors = self._pair_of_exact(X)
        return pair_distances(queries, vectors, rows, self.metric)

    def add(self, X: Any, items: Items | None = None) -> Self:
        """Put more vectors, [m, d] finite numbers, into the index; their rows are n..n+m-1.

        What was learned from the gallery, such as centroids, stays as it is.

        Args:
            X: the vectors.
            items: what they stand for, for a kind that keeps it.

        Raises:
            UserError: it is not fitted or memory-mapped, or the vectors are not finite or of another d.
        """
        self._check_changeable()
        vectors = self._prepared(checked_vectors(X, "vectors", self.n_features_in_))
        if len(vectors):
            self._append(vectors, items)
            self.n_items_ += len(vectors)
        return self

    def remove(self, rows: Any) -> Self:
        """Take rows out of the index. Those that stay keep their order and are numbered anew from 0.

        Args:
            rows: int [m], different, 0..n-1, not all of them.

        Raises:
            UserError: it is not fitted or memory-mapped, the kind cannot remove, or the rows are not valid.
        """
        self._check_changeable()
        gone = np.asarray(rows)
        if gone.ndim != 1 or (gone.size and gone.dtype.kind not in "iu"):
            raise UserError("the rows to remove must be whole numbers in one list")
        kept = np.ones(self.n_items_, bool)
        if gone.size:
            if gone.min() < 0 or gone.max() >= self.n_items_ or len(np.unique(gone)) < len(gone):
                raise UserError(f"the rows to remove must be different ones of 0 to {self.n_items_ - 1}")
            kept[gone] = False
        if not kept.any():
            raise UserError("an index cannot lose all its items; build another one")
        if not kept.all():
            self._keep(kept)
            self.n_items_ = int(kept.sum())
        return self

    @property
    def is_exact(self) -> bool:
        """Whether every neighbor is the true one.

        Raises:
            UserError: it is not fitted.
        """
        return self.has_vectors

    @property
    def has_vectors(self) -> bool:
        """Whether the vectors are here, so that all methods can be used.

        Raises:
            UserError: it is not fitted.
        """
        self._check_fitted()
        return self._stored_vectors() is not None

    def is_there(self) -> bool:
        """Whether what was indexed is still as it was, where a kind keeps it elsewhere.

        Raises:
            UserError: it is not fitted, or the place cannot be reached.
        """
        self._check_fitted()
        return True

    def give_back(self) -> None:
        """Give back memory that holds nothing but copies from the disk, where a kind searches there."""

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write the index and `retriever.json` into the folder; no pickle.

        Raises:
            UserError: it is not fitted, or the folder cannot be written.
        """
        self._check_fitted()
        files.save(self, directory)

    @classmethod
    def load(cls, directory: str | os.PathLike[str], mmap: bool = False) -> Self:
        """The retriever that was saved in the folder.

        Args:
            directory: the folder.
            mmap: leave the vectors on disk until they are touched, as far as the kind can. Such a retriever cannot
                be changed or saved over itself, and of its file only the size and samples are verified; without
                `mmap` every byte is.

        Raises:
            UserError: there is none, it is of another kind, damaged, or written by another version.
        """
        return files.load(cls, directory, mmap)

    def _pair_of_exact(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        self._check_fitted()
        vectors = self._stored_vectors()
        if vectors is None:
            raise UserError("an approximate index does not know the distances to all items; take an exact one")
        return self._prepared(checked_vectors(X, "queries", self.n_features_in_)), vectors

    def _prepared(self, vectors: np.ndarray) -> np.ndarray:
        return unit_rows(vectors) if self.metric == "cosine" else vectors

    def _check_fitted(self) -> None:
        if not hasattr(self, "n_items_"):
            raise UserError(f"the {self.kind} retriever is not fitted; call fit on the gallery first")

    def _check_changeable(self) -> None:
        self._check_fitted()
        if self.mapped_:
            raise UserError("a memory-mapped index cannot be changed; load it without mmap")

    def _search_where(
        self, queries: np.ndarray, k: int, rows: np.ndarray, classes: Sequence[str], splits: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        vectors = self._stored_vectors()
        if vectors is None:
            raise UserError("an approximate index cannot filter; take an exact one, or --retriever milvus")
        distances = np.empty((len(queries), k), np.float32)
        found = np.empty((len(queries), k), np.int64)
        for block in blocks(len(queries), RESULT_CELLS // len(rows)):
            every = all_distances(queries[block], vectors[rows], self.metric)
            nearest = np.argsort(every, axis=1, kind="stable")[:, :k]
            distances[block], found[block] = np.take_along_axis(every, nearest, axis=1), rows[nearest]
        return distances, found

    @abstractmethod
    def _build(self, vectors: np.ndarray, items: Items | None) -> None: ...

    @abstractmethod
    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]: ...

    @abstractmethod
    def _stored_vectors(self) -> np.ndarray | None:
        """The prepared gallery, float32 [n, d], if the kind searches it without approximation."""

    @abstractmethod
    def _write(self, path: Path) -> None: ...

    @abstractmethod
    def _read(self, path: Path, mmap: bool) -> None: ...

    @abstractmethod
    def _append(self, vectors: np.ndarray, items: Items | None) -> None: ...

    @abstractmethod
    def _keep(self, kept: np.ndarray) -> None:
        """Only the rows at which `kept`, bool [n], is true, in their order."""


def _each(radii: Any, q: int) -> np.ndarray:
    return np.broadcast_to(np.asarray(radii, np.float32), q)
