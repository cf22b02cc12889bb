"""`Retriever`: the contract of all index types, and protocols for what only some of them can do."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from tfretrieval.artifacts import ArtifactType, file_fingerprint, sampled_fingerprint
from tfretrieval.atomic import replaced_file
from tfretrieval.errors import UserError
from tfretrieval.estimator import Estimator
from tfretrieval.retrieval.distances import METRICS
from tfretrieval.vectors import checked_vectors, unit_rows

if TYPE_CHECKING:
    from typing_extensions import Self

    from tfretrieval.data.catalog import Catalog

RETRIEVER = ArtifactType("retriever", "retriever.json", 2, "rebuild it with `tfret index`")

DistancesAndRows = tuple[np.ndarray, np.ndarray]
Where = Mapping[str, Sequence[str]]  # arguments of `Catalog.rows_where`


class Retriever(Estimator, ABC):
    """A scikit-learn estimator that finds the nearest rows of a gallery.

    Args:
        metric: "euclidean" (not squared) or "cosine" (1 - cosine similarity, 1 for a vector of zeros).

    Attributes:
        n_items_: number of gallery rows, n.
        n_features_in_: dimension of the vectors, d.
        mapped_: whether the index is memory-mapped and cannot be changed.
    """

    type_name: ClassVar[str]
    data_file: ClassVar[str]
    extra_files: ClassVar[tuple[str, ...]] = ()
    max_neighbors: ClassVar[int | None] = None
    metric: str
    mapped_ = False

    def fit(self, X: Any, y: None = None) -> Self:
        """Index a gallery, [n, d] finite numbers.

        Raises:
            UserError: an option is invalid, or the vectors are.
        """
        return self._fit(X, self._build)

    def kneighbors(self, X: Any, n_neighbors: int = 5) -> DistancesAndRows:
        """The nearest gallery rows of each query, nearest first.

        Args:
            X: queries, [q, d] finite numbers.
            n_neighbors: k, 1..n.

        Returns:
            distances, float32 [q, k], and rows, int64 [q, k]; row -1 at infinite distance where an approximate index
            finds fewer than k.

        Raises:
            UserError: the retriever is not fitted, the queries are not finite or of another dimension, or k is out of
                range.
        """
        queries = self._check_queries(X)
        if not 1 <= n_neighbors <= self.n_items_:
            raise UserError(
                f"cannot return {n_neighbors} neighbors", f"choose 1 to {self.n_items_}, the gallery's size"
            )
        return self._search(queries, n_neighbors)

    @property
    @abstractmethod
    def is_exact(self) -> bool:
        """Whether the search is exact."""

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write the index and `retriever.json`; no pickle.

        Raises:
            UserError: the retriever is not fitted, or the directory cannot be written.
        """
        self._check_fitted()
        data = Path(directory) / self.data_file
        with replaced_file(data) as temporary:
            self._write(temporary)
        extra = [name for name in self.extra_files if data.with_name(name).exists()]
        header = {
            "type": self.type_name,
            "params": self.get_params(),
            "n": self.n_items_,
            "dim": self.n_features_in_,
            "content": file_fingerprint(data),
            "sampled": {name: sampled_fingerprint(data.with_name(name)) for name in (self.data_file, *extra)},
        }
        RETRIEVER.write_header(directory, header)

    @classmethod
    def load(cls, directory: str | os.PathLike[str], mmap: bool = False) -> Self:
        """Read a retriever.

        Args:
            directory: where it was saved.
            mmap: map the vectors into memory, as far as the type can. Such a retriever cannot be changed, and only the
                size and samples of its file are verified; without `mmap` every byte is.

        Raises:
            MissingArtifact: there is none.
            CorruptArtifact: it is damaged or of another type.
        """
        directory = Path(directory)
        header = RETRIEVER.read_header(directory)
        with RETRIEVER.reading(directory):
            if header["type"] != cls.type_name:
                raise ValueError(f"it is of type {header['type']}, not {cls.type_name}")
            for name, expected in header["sampled"].items():
                if sampled_fingerprint(directory / name) != expected:
                    raise ValueError(f"{name} is not the file that {RETRIEVER.header} describes")
            if not mmap and file_fingerprint(directory / cls.data_file) != header["content"]:
                raise ValueError(f"{cls.data_file} is not the file that {RETRIEVER.header} describes")
            retriever = cls(**header["params"])
            retriever.n_items_, retriever.n_features_in_ = header["n"], header["dim"]
            retriever._read(directory / cls.data_file, mmap)
            retriever.mapped_ = mmap or len(header["sampled"]) > 1
            return retriever

    def _fit(self, X: Any, build: Callable[[np.ndarray], None]) -> Self:
        if self.metric not in METRICS:
            raise UserError(f"{self.metric!r} is not a metric", f"choose from {', '.join(METRICS)}")
        vectors = checked_vectors(X, "gallery vectors")
        if not len(vectors):
            raise UserError("the gallery is empty: there is nothing to index")
        build(self._prepare(vectors))
        self.mapped_ = False
        self.n_items_, self.n_features_in_ = vectors.shape
        return self

    def _prepare(self, vectors: np.ndarray) -> np.ndarray:
        return unit_rows(vectors) if self.metric == "cosine" else vectors

    def _check_queries(self, X: Any) -> np.ndarray:
        self._check_fitted()
        return self._prepare(checked_vectors(X, "queries", self.n_features_in_))

    def _check_fitted(self) -> None:
        if not hasattr(self, "n_items_"):
            raise UserError(f"the {self.type_name} retriever is not fitted", "call fit on the gallery first")

    def _check_changeable(self) -> None:
        self._check_fitted()
        if self.mapped_:
            raise UserError("a memory-mapped index cannot be changed", "load it without mmap")

    @abstractmethod
    def _build(self, vectors: np.ndarray) -> None: ...

    @abstractmethod
    def _search(self, queries: np.ndarray, k: int) -> DistancesAndRows: ...

    @abstractmethod
    def _write(self, path: Path) -> None: ...

    @abstractmethod
    def _read(self, path: Path, mmap: bool) -> None: ...


@runtime_checkable
class HasVectors(Protocol):
    """A retriever that exposes its exact vectors."""

    @property
    def vectors_(self) -> np.ndarray | None:
        """float32 [n, d], prepared for the metric; None if the index stores them compressed."""


@runtime_checkable
class Updatable(Protocol):
    """A retriever that adds and removes vectors without a rebuild; trained parts such as centroids are kept."""

    def add(self, X: Any) -> Any:
        """Append vectors, [m, d]; their rows are n..n+m-1."""

    def remove(self, rows: np.ndarray) -> Any:
        """Remove rows, int [m]; the others keep their order and are renumbered from 0."""


@runtime_checkable
class Filterable(Protocol):
    """A retriever that can search some of its rows."""

    def kneighbors_among(self, X: Any, n_neighbors: int, rows: np.ndarray, where: Where) -> DistancesAndRows:
        """As `kneighbors`, among the gallery rows, int64 [m], that the filter `where` selects."""


@runtime_checkable
class StoresItems(Protocol):
    """A retriever that stores the items beside their vectors."""

    def fit_items(self, X: Any, items: Catalog, fingerprint: str, replace: bool) -> Any:
        """As `fit`, with the items of the vectors and a fingerprint of what made them.

        `replace` replaces items stored under the same name with another fingerprint.
        """

    def add_items(self, X: Any, items: Catalog) -> Any:
        """Append vectors and their items."""

    def is_up_to_date(self) -> bool:
        """Whether the stored items are still those of the last `fit`."""


def kept_rows(n: int, rows: Any) -> np.ndarray:
    """Which of n rows stay after a removal, bool [n].

    Raises:
        UserError: the rows are not distinct integers in 0..n-1, or none would stay.
    """
    removed = np.asarray(rows)
    if removed.ndim != 1 or (removed.size and removed.dtype.kind not in "iu"):
        raise UserError("the rows to remove must be a list of integers")
    if removed.size and (removed.min() < 0 or removed.max() >= n or len(np.unique(removed)) < len(removed)):
        raise UserError(f"the rows to remove must be distinct and in 0..{n - 1}")
    kept = np.ones(n, bool)
    kept[removed.astype(np.int64)] = False
    if not kept.any():
        raise UserError("cannot remove all items of an index", "build another one")
    return kept
