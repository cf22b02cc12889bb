"""From a run's gallery to an index, kept until the gallery or the settings change."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval.index import Index, IndexSettings
from tfretrieval.retrieval.recall import recall_against_exact
from tfretrieval.runs import Run
from tfretrieval.steps.model import run_config

log = logging.getLogger(__name__)

RECALL_K = 10


def ensure_index(run: Run, retriever: str, gallery: Embeddings, rebuild_damaged: bool = False, **changes: Any) -> Index:
    """The index of a kind over `gallery`: the one that is there if it fits, else a new one.

    Args:
        run: where it is kept.
        retriever: "knn" or "faiss".
        gallery: what is searched.
        rebuild_damaged: build a damaged index anew, from `changes` and defaults alone, and warn of it.
        changes: fields of `IndexSettings`; None keeps the figure of the index that is there, or the default.

    Raises:
        UserError: settings that do not fit, or a damaged index (unless `rebuild_damaged`).
    """
    directory = run.index(retriever)
    stored = _stored(directory, rebuild_damaged)
    default = IndexSettings(retriever=retriever, metric=run_config(run).metric)
    settings = with_changes(stored.settings if stored else default, changes)
    if stored and stored.settings == settings and stored.gallery == gallery.fingerprint:
        return stored
    if stored and stored.gallery != gallery.fingerprint:
        log.info("the %s index is stale: built anew", retriever)
    return build_index(run, gallery, settings)


def _stored(directory: Path, rebuild_damaged: bool) -> Index | None:
    if not directory.exists():
        return None
    try:
        return Index.load(directory)
    except UserError as error:
        if not rebuild_damaged:
            raise
        log.warning("%s; built anew", str(error).partition("; ")[0])
        shutil.rmtree(directory)
        return None


def build_index(run: Run, gallery: Embeddings, settings: IndexSettings) -> Index:
    """Build an index over `gallery` and keep it. The recall of an approximate one is measured.

    Raises:
        UserError: settings that do not fit the gallery.
    """
    index = Index.build(gallery, settings, {"model": gallery.made_from.get("model")})
    if not index.retriever.is_exact:
        recall = index_recall(index, gallery)
        factory = index.retriever.get_params()["factory"]
        log.info("%s is approximate: recall@%d against exact search is %.4f", factory, RECALL_K, recall)
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
    index.save(run.index(settings.retriever))
    return index


def index_recall(index: Index, gallery: Embeddings, seed: int = 0) -> float:
    """The share of the 10 exact neighbours that an index finds, 0..1; gallery items ask, each without itself."""
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
