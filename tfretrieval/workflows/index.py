"""From a run's gallery to an index, kept until the gallery or the settings change."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from tfretrieval.atomic import read_json
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.progress import working
from tfretrieval.retrieval.base import Retriever
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.recall import recall_against_exact, recall_streamed
from tfretrieval.retrieval.settings import IndexSettings
from tfretrieval.retrieval.streamed import Streamed
from tfretrieval.runs import Run
from tfretrieval.workflows.model import run_config

log = logging.getLogger(__name__)

RECALL_K = 10


def ensure_index(
    run: Run,
    retriever: str,
    gallery: Embeddings,
    rebuild_damaged: bool = False,
    replace_others: bool = False,
    memory_limit: int | None = None,
    **changes: Any,
) -> Index:
    """The index of a kind over `gallery`: the one that is there if it fits, else a new one.

    Args:
        run: where it is kept.
        retriever: "knn", "faiss" or "milvus".
        gallery: what is searched.
        rebuild_damaged: build a damaged index anew, with its settings where they can be read, and warn of it.
        replace_others: drop a Milvus collection under the same name that holds vectors of another model.
        memory_limit: bytes, as in `Index.build`.
        changes: fields of `IndexSettings`; None keeps the figure of the index that is there, or the default.

    Raises:
        UserError: settings that do not fit, or a damaged index (unless `rebuild_damaged`).
    """
    directory = run.index(retriever)
    was_there, kept = directory.exists(), _kept_settings(directory)
    stored = _stored(run, retriever, rebuild_damaged)
    if was_there and stored is None and kept is None:
        log.warning("the settings of the %s index cannot be read: those of a new one are taken", retriever)
    default = IndexSettings(retriever=retriever, metric=run_config(run).metric)
    settings = with_changes(stored.settings if stored else kept or default, changes)
    if stored and stored.settings == settings and stored.gallery == gallery.fingerprint:
        if not rebuild_damaged or stored.retriever.is_there():
            return stored
        log.warning("the %s index is not what it was where it is kept: brought up to date", retriever)
    if stored and stored.gallery != gallery.fingerprint:
        log.info("the %s index is stale: rebuilt", retriever)
    return build_index(run.index(retriever), gallery, settings, replace_others, memory_limit)


def _kept_settings(directory: Path) -> IndexSettings | None:
    """The settings of an index that may be damaged otherwise."""
    try:
        return IndexSettings(**read_json(directory / "index.json")["settings"])
    except (UserError, KeyError, TypeError):
        return None


def load_index(run: Run, retriever: str, mmap: bool = False) -> Index:
    """The index of a kind that a run has, as `Index.load` reads it.

    Raises:
        UserError: there is none, or it is damaged.
    """
    try:
        return Index.load(run.index(retriever), mmap)
    except UserError as error:
        fault = str(error).partition("; ")[0]
        remedy = f"rebuild it with `tfret index --run {run.directory} --retriever {retriever}`"
        raise UserError(f"{fault}; {remedy}") from None


def _stored(run: Run, retriever: str, rebuild_damaged: bool) -> Index | None:
    """The index that is there; None where there is none, or a damaged one that may be rebuilt."""
    if not run.index(retriever).exists():
        return None
    try:
        return load_index(run, retriever)
    except UserError as error:
        if not rebuild_damaged:
            raise
        log.warning("%s; rebuilt", str(error).partition("; ")[0])
        shutil.rmtree(run.index(retriever))
        return None


def build_index(
    directory: Path,
    gallery: Embeddings,
    settings: IndexSettings,
    replace_others: bool = False,
    memory_limit: int | None = None,
) -> Index:
    """Build an index over `gallery` and keep it in a folder, with how long that took.

    The recall of an approximate one is measured.

    Raises:
        UserError: settings that do not fit the gallery.
    """
    started = perf_counter()
    made_from = {"model": gallery.made_from.get("model")}
    with working(f"index with {settings.retriever}"):
        index = Index.build(gallery, settings, made_from, directory, replace_others, memory_limit)
    index = replace(index, made_from={**index.made_from, "build_seconds": round(perf_counter() - started, 4)})
    if not index.retriever.is_exact:
        recall = index_recall(index, gallery)
        log.info("%s is approximate: recall@%d against exact search is %.4f", named(index.retriever), RECALL_K, recall)
        if settings.target_recall and recall < settings.target_recall:
            log.warning("the recall of %.4f is below the target of %g", recall, settings.target_recall)
        index = replace(index, made_from={**index.made_from, f"recall_at_{RECALL_K}": recall})
    elif others := [
        trial for trial in index.made_from.get("tuning", {}).get("table", ()) if trial["factory"] != "Flat"
    ]:
        best = max(others, key=lambda trial: trial["recall"])
        log.warning(
            "no index reaches a recall of %g faster than exact search, so the index is exact; %s reaches %.4f",
            settings.target_recall, best["factory"], best["recall"],
        )  # fmt: skip
    index.save(directory)
    return index


def named(retriever: Retriever) -> str:
    """The kind of index within a retriever: FAISS's factory string, or Milvus's index type."""
    params = retriever.get_params()
    return str(params.get("factory") or params.get("index_type") or retriever.kind)


def index_recall(index: Index, gallery: Embeddings, seed: int = 0) -> float:
    """The share of the 10 exact neighbors that an index finds, 0..1; gallery items ask, each without itself."""
    if index.retriever.mapped_:
        streamed = Streamed(gallery.vectors, index.transform, index.settings.metric)
        return recall_streamed(index.retriever, streamed, min(RECALL_K, len(gallery) - 1), seed=seed)
    vectors = index.transform.transform(gallery.vectors)
    return recall_against_exact(index.retriever, vectors, k=min(RECALL_K, len(gallery) - 1), seed=seed)


def with_changes(settings: IndexSettings, changes: dict[str, Any]) -> IndexSettings:
    """Settings with the changes that are not None; the PCA "none" means no PCA.

    A target recall takes the place of a factory and its parameters, and they take that of a target.

    Raises:
        UserError: an unknown setting, or settings that do not go together.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if given.get("pca") == "none":
        given["pca"] = None
    if "target_recall" in given:
        given = {"factory": None, "nprobe": None, **given}
    elif given.keys() & {"factory", "nprobe"}:
        given["target_recall"] = None
    try:
        return replace(settings, **given)
    except TypeError as error:
        raise UserError(f"unknown index setting: {error}") from None
