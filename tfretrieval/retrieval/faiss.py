"""The kind `faiss`: any index that a factory string can name."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from tfretrieval.atomic import readable_os_errors
from tfretrieval.errors import UserError
from tfretrieval.quiet import silent_stdout
from tfretrieval.retrieval.base import Retriever
from tfretrieval.retrieval.on_disk import LISTS, build_sharded, give_back
from tfretrieval.retrieval.removal import keep_rows

if TYPE_CHECKING:
    from typing_extensions import Self

    from tfretrieval.retrieval.items import Items
    from tfretrieval.retrieval.streamed import Streamed

log = logging.getLogger(__name__)

POINTS_A_CENTROID = 39
MOST_POINTS_A_CENTROID = 256
TRAINING_POINTS = 1 << 18
TRAINING_SEED = 1234
LEAST_NPROBE = 8


class FaissRetriever(Retriever):
    """Neighbors by a FAISS index.

    "Flat" is exact. "IVF256,Flat", "HNSW32" or "IVF256,PQ16" trade accuracy for time or memory; distances to
    vectors that an index stores compressed are approximate as well. An IVF index looks into nlist/16 of its
    lists, at least 8, unless `search` says otherwise.

    Args:
        factory: a string of `faiss.index_factory`.
        metric: "euclidean" or "cosine".
        search: parameters by the names of `faiss.ParameterSpace`, such as {"nprobe": 8} or {"efSearch": 64}.

    >>> retriever = FaissRetriever(metric="cosine").fit([[2.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    >>> distances, rows = retriever.kneighbors([[0.0, 5.0]], n_neighbors=3)
    >>> distances.tolist(), rows.tolist()
    ([[0.0, 1.0, 1.0]], [[1, 0, 2]])
    """

    kind = "faiss"
    data_file = "index.faiss"
    more_files = (LISTS,)
    lists_: Path | None = None
    _clear_work: weakref.finalize[Any, Any] | None = None

    def __init__(
        self, factory: str = "Flat", metric: str = "euclidean", search: Mapping[str, float] | None = None
    ) -> None:
        self.factory = factory
        self.metric = metric
        self.search = search

    def fit_within(self, vectors: Streamed, memory: int, beside: Path) -> Self:
        """Index vectors that are read in blocks, within so many bytes beside those in use already.

        The lists stay on the disk: in a temporary folder beside a path until the retriever is saved there.

        Raises:
            UserError: the factory is not an IVF index, the memory is too little, or the disk has no room.
        """
        index = self._new_index(vectors.dim)
        with readable_os_errors(beside):
            beside.parent.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(dir=beside.parent, prefix=".tmp-"))
            self._clear_work = weakref.finalize(self, shutil.rmtree, work, ignore_errors=True)
            try:
                self.index_ = build_sharded(vectors, index, memory, work)
            except BaseException:
                self._clear_work()
                raise
        self.lists_ = work / LISTS
        self.mapped_ = True
        self.n_items_, self.n_features_in_ = len(vectors), vectors.dim
        self._set_search_parameters()
        return self

    def give_back(self) -> None:
        if self.lists_ is not None:
            give_back(self.index_)

    def set_search(self, search: Mapping[str, float] | None) -> None:
        """Change the search parameters of the fitted index.

        Raises:
            UserError: it is not fitted, or has no such parameter.
        """
        self._check_fitted()
        self.search = search
        self._set_search_parameters()

    def _build(self, vectors: np.ndarray, items: Items | None) -> None:
        index = self._new_index(vectors.shape[1])
        try:
            if not index.is_trained:
                _prepare_training(index, len(vectors), self.factory)
                index.train(vectors)
            if isinstance(index, faiss.IndexIDMap):
                index.add_with_ids(vectors, np.arange(len(vectors), dtype=np.int64))
            else:
                index.add(vectors)
        except (RuntimeError, AssertionError) as error:
            raise UserError(
                f"FAISS cannot fill the index {self.factory!r} with {len(vectors)} vectors: {_reason(error)}"
            ) from None
        self.index_ = index
        self.lists_, self._clear_work = None, None
        self._set_search_parameters()

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        scores, rows = self.index_.search(queries, k)
        cosine = self.metric == "cosine"
        distances = np.maximum(1 - scores, 0) if cosine else np.sqrt(np.maximum(scores, 0))
        distances[rows < 0] = np.inf
        return distances, rows

    def _stored_vectors(self) -> np.ndarray | None:
        index = self.index_
        if isinstance(index, faiss.IndexIDMap):
            index = faiss.downcast_index(index.index)
        if not isinstance(index, faiss.IndexFlat):
            return None
        return faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d).reshape(index.ntotal, index.d)

    def _write(self, path: Path) -> None:
        if self.lists_ is not None:
            to = path.parent / LISTS
            if self._clear_work is None:
                shutil.copyfile(self.lists_, to)
            else:
                os.replace(self.lists_, to)
                self._clear_work()
                self._clear_work, self.lists_ = None, to
        faiss.write_index(self.index_, str(path))

    def _read(self, path: Path, mmap: bool) -> None:
        self.lists_ = path.parent / LISTS if (path.parent / LISTS).exists() else None
        if self.lists_ is not None:
            with silent_stdout():  # FAISS prints that the file lies elsewhere now
                self.index_ = faiss.read_index(str(path), faiss.IO_FLAG_READ_ONLY | faiss.IO_FLAG_ONDISK_SAME_DIR)
        else:
            self.index_ = faiss.read_index(str(path), _mapping(self.factory) if mmap else 0)
        if (self.index_.ntotal, self.index_.d) != (self.n_items_, self.n_features_in_):
            raise ValueError(f"{path.name} holds {self.index_.ntotal} vectors of {self.index_.d} dimensions")
        self._set_search_parameters()

    def _append(self, vectors: np.ndarray, items: Items | None) -> None:
        if isinstance(self.index_, faiss.IndexIDMap):
            self.index_.add_with_ids(vectors, self.n_items_ + np.arange(len(vectors), dtype=np.int64))
        else:
            self.index_.add(vectors)

    def _keep(self, kept: np.ndarray) -> None:
        try:
            keep_rows(self.index_, kept)
        except NotImplementedError:
            raise UserError(
                f"the index {self.factory!r} cannot remove items; build it anew without them, or choose Flat or IVF"
            ) from None

    def _new_index(self, dim: int) -> Any:
        kind = faiss.METRIC_INNER_PRODUCT if self.metric == "cosine" else faiss.METRIC_L2
        try:
            return faiss.index_factory(dim, self.factory, kind)
        except (RuntimeError, TypeError, ValueError, AssertionError) as error:
            raise UserError(
                f"FAISS cannot make the index {self.factory!r} for {dim} dimensions: {_reason(error)}"
            ) from None

    def _set_search_parameters(self) -> None:
        ivf = faiss.try_extract_index_ivf(self.index_)
        if ivf is not None:
            ivf.nprobe = min(ivf.nlist, max(LEAST_NPROBE, ivf.nlist // 16))
        for name, value in (self.search or {}).items():
            if isinstance(value, bool) or not isinstance(value, Real) or value <= 0:
                raise UserError(f"the search parameter {name} must be a number above 0, not {value!r}")
            try:
                faiss.ParameterSpace().set_index_parameter(self.index_, name, float(value))
            except RuntimeError:
                raise UserError(f"the index {self.factory!r} has no search parameter {name!r}") from None


def _prepare_training(index: Any, n: int, factory: str) -> None:
    """Centroids are learned from a sample, drawn by a fixed seed: 256 points each, fewer where there are very many."""
    ivf = faiss.try_extract_index_ivf(index)
    if ivf is None:
        return
    ivf.cp.seed = TRAINING_SEED
    sampled = min(MOST_POINTS_A_CENTROID, max(POINTS_A_CENTROID, TRAINING_POINTS // ivf.nlist))
    ivf.cp.max_points_per_centroid = sampled
    if n < ivf.nlist:
        raise UserError(
            f"the index {factory!r} needs at least {ivf.nlist} gallery items for its {ivf.nlist} centroids, "
            f"and there are {n}; choose fewer"
        )
    if n < POINTS_A_CENTROID * ivf.nlist:
        log.warning(
            "the index %r has %.0f gallery items a centroid; below %d its lists are poor, choose fewer centroids",
            factory, n / ivf.nlist, POINTS_A_CENTROID,
        )  # fmt: skip
        ivf.cp.min_points_per_centroid = 1


def _mapping(factory: str) -> int:
    """How FAISS maps the file: inverted lists from their own part of it, everything else where it is new enough."""
    return faiss.IO_FLAG_MMAP if "IVF" in factory else getattr(faiss, "IO_FLAG_MMAP_IFC", 0)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split("\n")[0].rsplit(": ", 1)[-1].split())
