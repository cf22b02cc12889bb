"""The retriever `faiss`: any index that a FAISS factory string can name."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from contextlib import nullcontext
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from tfretrieval.errors import UserError
from tfretrieval.quiet import STDOUT, silent
from tfretrieval.retrieval.base import DistancesAndRows, Retriever, Where, kept_rows
from tfretrieval.retrieval.distances import sort_neighbors
from tfretrieval.retrieval.exact import exact_neighbors, neighbors_among
from tfretrieval.vectors import checked_vectors

if TYPE_CHECKING:
    from typing_extensions import Self

log = logging.getLogger(__name__)

LISTS = "lists.ivfdata"  # the inverted lists of an index that is searched from disk
MIN_POINTS_PER_CENTROID, MAX_POINTS_PER_CENTROID = 39, 256
TRAINING_POINTS = 1 << 18
TRAINING_SEED = 1234
MIN_NPROBE = 8


class FaissRetriever(Retriever):
    """Search by a FAISS index.

    "Flat" is exact. "IVF256,Flat", "HNSW32" or "IVF256,PQ16" trade accuracy for time or memory; distances to vectors
    that an index stores compressed are approximate too. An IVF index probes nlist/16 of its lists, at least 8, unless
    `search` says otherwise.

    Args:
        factory: a string of `faiss.index_factory`.
        metric: "euclidean" or "cosine".
        search: search parameters by the names of `faiss.ParameterSpace`, such as {"nprobe": 8} or {"efSearch": 64}.

    Attributes:
        index_: the FAISS index.

    >>> retriever = FaissRetriever(metric="cosine").fit([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> distances, rows = retriever.kneighbors([[0.0, 5.0]], n_neighbors=3)
    >>> distances.tolist(), rows.tolist()
    ([[0.0, 1.0, 1.0]], [[1, 0, 2]])
    """

    type_name = "faiss"
    data_file = "index.faiss"
    extra_files = (LISTS,)

    def __init__(
        self, factory: str = "Flat", metric: str = "euclidean", search: Mapping[str, float] | None = None
    ) -> None:
        self.factory = factory
        self.metric = metric
        self.search = search

    @property
    def is_exact(self) -> bool:
        return self.vectors_ is not None

    @property
    def vectors_(self) -> np.ndarray | None:
        """The vectors of a flat index, float32 [n, d], without a copy; None for other indexes."""
        self._check_fitted()
        index = self.index_
        if isinstance(index, faiss.IndexIDMap):
            index = faiss.downcast_index(index.index)
        if not isinstance(index, faiss.IndexFlat):
            return None
        return faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(index.ntotal, index.d)

    def set_search(self, search: Mapping[str, float] | None) -> None:
        """Change the search parameters of the fitted index.

        Raises:
            UserError: the retriever is not fitted, or has no such parameter.
        """
        self._check_fitted()
        self.search = search
        self._apply_search_parameters()

    def kneighbors_among(self, X: Any, n_neighbors: int, rows: np.ndarray, where: Where) -> DistancesAndRows:
        """The nearest of some gallery rows, see `Filterable`; for flat indexes only."""
        return neighbors_among(self, self.vectors_, X, n_neighbors, rows)

    def add(self, X: Any) -> Self:
        """Append vectors, see `Updatable`."""
        self._check_changeable()
        vectors = self._prepare(checked_vectors(X, "vectors", self.n_features_in_))
        self._add(vectors, self.n_items_)
        self.n_items_ += len(vectors)
        return self

    def remove(self, rows: np.ndarray) -> Self:
        """Remove rows, see `Updatable`.

        Raises:
            UserError: the index is neither flat nor made of inverted lists in memory.
        """
        self._check_changeable()
        kept = kept_rows(self.n_items_, rows)
        _keep_rows(self.index_, kept, self.factory)
        self.n_items_ = int(kept.sum())
        return self

    def _build(self, vectors: np.ndarray) -> None:
        index = self._new_index(vectors.shape[1])
        try:
            if not index.is_trained:
                _configure_training(index, len(vectors), self.factory)
                index.train(vectors)
            self.index_ = index
            self._add(vectors, 0)
        except (RuntimeError, AssertionError) as error:
            raise UserError(
                f"FAISS cannot index {len(vectors)} vectors with {self.factory!r}: {_reason(error)}"
            ) from None
        self._apply_search_parameters()

    def _new_index(self, dim: int) -> Any:
        return new_index(dim, self.factory, self.metric)

    def _add(self, vectors: np.ndarray, first_row: int) -> None:
        if isinstance(self.index_, faiss.IndexIDMap):
            self.index_.add_with_ids(vectors, first_row + np.arange(len(vectors), dtype=np.int64))
        else:
            self.index_.add(vectors)

    def _search(self, queries: np.ndarray, k: int) -> DistancesAndRows:
        vectors = self.vectors_
        if vectors is not None:
            return exact_neighbors(lambda part, k: self.index_.search(part, k)[1], queries, vectors, k, self.metric)
        scores, rows = self.index_.search(queries, k)
        distances = np.maximum(1 - scores, 0) if self.metric == "cosine" else np.sqrt(np.maximum(scores, 0))
        distances[rows < 0] = np.inf
        return sort_neighbors(distances, rows)

    def _write(self, path: Path) -> None:
        faiss.write_index(self.index_, str(path))
        lists = mapped_lists(self.index_)
        if lists is not None and lists != path.parent / LISTS:
            try:
                os.link(lists, path.parent / LISTS)
            except OSError:
                shutil.copyfile(lists, path.parent / LISTS)

    def _read(self, path: Path, mmap: bool) -> None:
        flags = (faiss.IO_FLAG_MMAP if "IVF" in self.factory else getattr(faiss, "IO_FLAG_MMAP_IFC", 0)) if mmap else 0
        on_disk = (path.parent / LISTS).exists()
        if on_disk:
            flags = faiss.IO_FLAG_READ_ONLY | faiss.IO_FLAG_ONDISK_SAME_DIR
        with silent(STDOUT) if on_disk else nullcontext():  # FAISS prints the new path of the lists
            self.index_ = faiss.read_index(str(path), flags)
        if (self.index_.ntotal, self.index_.d) != (self.n_items_, self.n_features_in_):
            raise ValueError(f"{path.name} holds {self.index_.ntotal} vectors of {self.index_.d} dimensions")
        self._apply_search_parameters()

    def _apply_search_parameters(self) -> None:
        ivf = faiss.try_extract_index_ivf(self.index_)
        if ivf is not None:
            ivf.nprobe = min(ivf.nlist, max(MIN_NPROBE, ivf.nlist // 16))
        for name, value in (self.search or {}).items():
            if isinstance(value, bool) or not isinstance(value, Real) or value <= 0:
                raise UserError(f"the search parameter {name} must be a number above 0, not {value!r}")
            try:
                faiss.ParameterSpace().set_index_parameter(self.index_, name, float(value))
            except RuntimeError:
                raise UserError(f"the index {self.factory!r} has no search parameter {name!r}") from None


def new_index(dim: int, factory: str, metric: str) -> Any:
    """An empty FAISS index.

    Raises:
        UserError: FAISS does not know the factory string, or it does not fit the dimension.
    """
    try:
        return faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT if metric == "cosine" else faiss.METRIC_L2)
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise UserError(f"FAISS cannot create the index {factory!r} for {dim} dimensions: {_reason(error)}") from None


def mapped_lists(index: Any) -> Path | None:
    """The file that holds the inverted lists of an index searched from disk; None for an index in memory."""
    ivf = faiss.try_extract_index_ivf(index)
    lists = faiss.downcast_InvertedLists(ivf.invlists) if ivf is not None and ivf.invlists is not None else None
    return Path(lists.filename) if isinstance(lists, faiss.OnDiskInvertedLists) else None


def _configure_training(index: Any, n: int, factory: str) -> None:
    """Train centroids on a sample drawn by a fixed seed: 256 points per centroid, fewer for many centroids."""
    ivf = faiss.try_extract_index_ivf(index)
    if ivf is None:
        return
    ivf.cp.seed = TRAINING_SEED
    sampled = max(MIN_POINTS_PER_CENTROID, TRAINING_POINTS // ivf.nlist)
    ivf.cp.max_points_per_centroid = min(MAX_POINTS_PER_CENTROID, sampled)
    if n < ivf.nlist:
        raise UserError(
            f"the index {factory!r} needs at least {ivf.nlist} gallery items, not {n}", "use fewer centroids"
        )
    if n < MIN_POINTS_PER_CENTROID * ivf.nlist:
        log.warning(
            "the index %r has %.0f gallery items per centroid; use fewer centroids, at least %d items for each",
            factory, n / ivf.nlist, MIN_POINTS_PER_CENTROID,
        )  # fmt: skip
        ivf.cp.min_points_per_centroid = 1


def _keep_rows(index: Any, kept: np.ndarray, factory: str) -> None:
    """Remove the rows that are not kept, bool [n], and renumber the others from 0.

    Raises:
        UserError: the index is neither flat nor made of inverted lists in memory; it is unchanged.
    """
    innermost: Any = faiss.downcast_index(index)
    while isinstance(innermost, faiss.IndexPreTransform):
        innermost = faiss.downcast_index(innermost.index)
    lists = getattr(innermost, "invlists", None)
    lists = lists and faiss.downcast_InvertedLists(lists)
    if not isinstance(innermost, faiss.IndexFlatCodes) and not isinstance(lists, faiss.ArrayInvertedLists):
        raise UserError(f"the index {factory!r} cannot remove items", "rebuild it without them, or use Flat or IVF")
    index.remove_ids(np.flatnonzero(~kept))
    if isinstance(lists, faiss.ArrayInvertedLists):
        new_rows = np.cumsum(kept) - 1
        for number in range(innermost.nlist):
            size = lists.list_size(number)
            if size:
                ids = faiss.rev_swig_ptr(lists.get_ids(number), size)
                ids[:] = new_rows[ids]


def _reason(error: Exception) -> str:
    return " ".join(str(error).split("\n")[0].rsplit(": ", 1)[-1].split())
