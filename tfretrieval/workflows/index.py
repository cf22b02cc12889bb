"""Build the index of a run, or reuse one that is up to date."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from tfretrieval.artifacts import CorruptArtifact, MissingArtifact, load_or_none
from tfretrieval.atomic import os_errors_as_user_errors
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.progress import working
from tfretrieval.retrieval.base import StoresItems
from tfretrieval.retrieval.index import INDEX, Index
from tfretrieval.retrieval.settings import FaissSettings, IndexSettings, settings_for
from tfretrieval.runs import Run
from tfretrieval.workflows.model import run_config

log = logging.getLogger(__name__)

RECALL_K = 10


@dataclass(frozen=True)
class IndexRequest:
    """Which index of a run is wanted.

    Attributes:
        retriever: "knn", "faiss" or "milvus".
        changes: settings of that type; those left out or None keep the value of the existing index, or the default.
            `pca` may be "none".
        name: directory below `index/` and `evaluation/` of the run; by default the retriever.
        memory_limit: bytes that a FAISS index may allocate while it is built; None for no limit.
        replace_collection: drop a Milvus collection of the same name that holds vectors of another model.
        rebuild_corrupt: rebuild a corrupt index, with a warning.
    """

    retriever: str = "faiss"
    changes: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    memory_limit: int | None = None
    replace_collection: bool = False
    rebuild_corrupt: bool = False

    @classmethod
    def named(cls, name: str) -> IndexRequest:
        """The index of that name: a retriever type, or "<type>-<suffix>" for another index of that type."""
        return cls(name.partition("-")[0], name=name)

    @property
    def directory_name(self) -> str:
        """Name of the directories of index and evaluation."""
        return self.name or self.retriever


def ensure_index(run: Run, gallery: Embeddings, request: IndexRequest) -> Index:
    """The index of a run over `gallery`: the existing one if it is up to date, else a new one.

    Raises:
        UserError: invalid settings, or a corrupt index unless it may be rebuilt.
    """
    directory = run.index(request.directory_name)
    default = settings_for(request.retriever, metric=run_config(run).metric)
    stored = _stored_index(run, request)
    settings = with_changes(load_or_none(_read_settings, directory) or default, request.changes)
    if stored and stored.settings == settings and stored.gallery_fingerprint == gallery.fingerprint:
        retriever = stored.retriever
        if not request.rebuild_corrupt or not isinstance(retriever, StoresItems) or retriever.is_up_to_date():
            return stored
        log.warning("the %s collection does not match the index; synchronizing", request.retriever)
    elif stored and stored.gallery_fingerprint != gallery.fingerprint:
        log.info("the %s index is stale (gallery changed); rebuilding", request.directory_name)
    return build_index(directory, gallery, settings, request)


def load_index(run: Run, name: str, mmap: bool = False) -> Index:
    """The index of a run, see `Index.load`.

    Raises:
        MissingArtifact: there is none.
        CorruptArtifact: it is corrupt.
    """
    try:
        return Index.load(run.index(name), mmap)
    except (MissingArtifact, CorruptArtifact) as error:
        remedy = f"rebuild it with `tfret index --run {run.directory} --retriever {name.partition('-')[0]}`"
        raise type(error)(error.problem, remedy) from None


def build_index(directory: Path, gallery: Embeddings, settings: IndexSettings, request: IndexRequest) -> Index:
    """Build an index over `gallery` and save it. The build time and the recall of an approximate index are recorded.

    Raises:
        UserError: the settings do not fit the gallery.
    """
    from tfretrieval.retrieval.on_disk import exceeds

    if request.memory_limit is not None and exceeds(request.memory_limit, gallery.vectors):
        return _build_on_disk(directory, gallery, settings, request.memory_limit)
    started = perf_counter()
    with working(f"index with {settings.retriever}"):
        index = Index.build(gallery, settings, directory, request.replace_collection)
    index = _measured(index, gallery, perf_counter() - started)
    index.save(directory)
    return index


def index_recall(index: Index, gallery: Embeddings, seed: int = 0) -> float:
    """Recall@10 of an approximate index against exact search, 0..1, with gallery items as queries."""
    from tfretrieval.retrieval.recall import recall_at_k
    from tfretrieval.retrieval.transformed import TransformedVectors

    vectors = TransformedVectors(gallery.vectors, index.transform, index.settings.metric)
    return recall_at_k(index.retriever, vectors, min(RECALL_K, len(gallery) - 1), seed=seed)


def with_changes(settings: IndexSettings, changes: Mapping[str, Any]) -> IndexSettings:
    """Settings with the changes that are not None; the PCA "none" stands for no PCA.

    Raises:
        UserError: there is no such setting, or the settings contradict each other.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if given.get("pca") == "none":
        given["pca"] = None
    return settings.replace(**given)


def settings_of_store(retriever: str, gallery: Embeddings, changes: Mapping[str, Any]) -> IndexSettings:
    """Settings of an index over an embedding store: by default, the metric is that of its model."""
    metric = gallery.provenance.get("metric", IndexSettings.metric)
    return with_changes(settings_for(retriever, metric=metric), changes)


def _stored_index(run: Run, request: IndexRequest) -> Index | None:
    """The existing index; None if there is none, or a corrupt one that may be rebuilt."""
    directory = run.index(request.directory_name)
    if request.rebuild_corrupt:
        return load_or_none(Index.load, directory)
    return load_index(run, request.directory_name) if directory.exists() else None


def _read_settings(directory: Path) -> IndexSettings:
    """The settings of an index that may be corrupt otherwise."""
    with INDEX.reading(directory):
        return settings_for(**INDEX.read_header(directory)["settings"])


def _build_on_disk(directory: Path, gallery: Embeddings, settings: IndexSettings, memory_limit: int) -> Index:
    from tfretrieval.retrieval.faiss import FaissRetriever
    from tfretrieval.retrieval.on_disk import allocated_bytes, default_factory, fit_on_disk
    from tfretrieval.retrieval.transformed import TransformedVectors

    if not isinstance(settings, FaissSettings) or settings.target_recall:
        raise UserError("--memory-limit is too low for this index", "use --retriever faiss without --target-recall")
    started = perf_counter()
    transform = settings.new_transform()
    sample_size = max(1, (memory_limit - allocated_bytes()) // 4 // (12 * gallery.dim))
    transform.fit(TransformedVectors(gallery.vectors).sample(sample_size, seed=0)[1])
    vectors = TransformedVectors(gallery.vectors, transform, settings.metric)
    memory = int(0.8 * (memory_limit - allocated_bytes()))
    factory = settings.factory or default_factory(len(gallery), vectors.dim, memory)
    log.info("the gallery exceeds the memory limit; building %s on disk", factory)
    search = {"nprobe": settings.nprobe} if settings.nprobe else None
    with os_errors_as_user_errors(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".tmp-") as work:
        retriever = fit_on_disk(FaissRetriever(factory, settings.metric, search), vectors, memory, Path(work))
        index = Index(gallery.items, transform, retriever, settings, gallery.fingerprint, dict(gallery.provenance))
        index = _measured(index, gallery, perf_counter() - started)
        index.save(directory)
    return Index.load(directory, mmap=True)


def _measured(index: Index, gallery: Embeddings, seconds: float) -> Index:
    """The index with its build time and, if it is approximate, its recall."""
    notes: dict[str, Any] = {"build_seconds": round(seconds, 4)}
    if not index.retriever.is_exact:
        recall = notes[f"recall_at_{RECALL_K}"] = index_recall(index, gallery)
        log.info("%s: recall@%d %.4f", index.effective_settings.describe(), RECALL_K, recall)
        target = getattr(index.settings, "target_recall", None)
        if target and recall < target:
            log.warning("the recall of %.4f is below the target of %g", recall, target)
    return replace(index, provenance={**index.provenance, **notes})
