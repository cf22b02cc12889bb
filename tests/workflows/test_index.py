"""An index is kept until its gallery or its settings change."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import IndexSettings
from tfretrieval.retrieval.tuning import Trial, Tuned
from tfretrieval.workflows.index import ensure_index, index_recall, with_changes


def gallery(seed: int) -> Embeddings:
    return Embeddings.from_arrays(np.random.default_rng(seed).normal(size=(60, 8)), np.arange(60) % 3)


def written(run) -> int:
    return (run.index("knn") / "index.json").stat().st_mtime_ns


def test_the_same_gallery_and_settings_use_what_is_there(run):
    ensure_index(run, "knn", gallery(0), pca=4)
    at = written(run)
    assert ensure_index(run, "knn", gallery(0)).settings.pca == 4
    assert written(run) == at


def test_another_gallery_or_setting_rebuilds(run):
    ensure_index(run, "knn", gallery(0))
    assert ensure_index(run, "knn", gallery(1)).gallery == gallery(1).fingerprint
    assert ensure_index(run, "knn", gallery(1), pca=0.5).settings.pca == 0.5
    assert ensure_index(run, "knn", gallery(1), pca="none").settings.pca is None


def test_the_metric_is_the_one_of_the_training(run):
    assert ensure_index(run, "faiss", gallery(0)).settings.metric == run.config()["metric"] == "euclidean"


def test_the_recall_of_an_approximate_index_is_kept_with_it(run):
    rng = np.random.default_rng(0)
    many = Embeddings.from_arrays(rng.normal(size=(400, 8)), np.arange(400) % 3)
    index = ensure_index(run, "faiss", many, factory="IVF10,Flat", nprobe=1)
    recall = Index.load(run.index("faiss")).made_from["recall_at_10"]
    assert recall == index_recall(index, many)
    assert 0.2 < recall < 1
    assert index_recall(ensure_index(run, "faiss", many, nprobe=10), many) == 1


def test_a_target_and_a_factory_take_each_others_place():
    tuned = with_changes(IndexSettings("faiss", factory="IVF4,Flat", nprobe=2), {"target_recall": 0.9})
    assert (tuned.target_recall, tuned.factory, tuned.nprobe) == (0.9, None, None)
    assert with_changes(tuned, {"factory": "Flat"}) == IndexSettings("faiss", factory="Flat")


def test_a_target_that_only_exact_search_reaches_is_told_with_what_others_reach(run, monkeypatch, caplog):
    flat, other = Trial("Flat", {}, 1.0, 1.0, 50.0, 32.0), Trial("HNSW32", {"efSearch": 16}, 0.7, 0.69, 40.0, 288.0)
    monkeypatch.setattr("tfretrieval.retrieval.tuning.tune", lambda *_: Tuned(flat, 0.9, 10, (flat, other)))
    index = ensure_index(run, "faiss", gallery(0), target_recall=0.9)
    assert index.retriever.is_exact
    assert "HNSW32 reaches 0.7000" in caplog.text


def test_settings_that_do_not_go_together():
    with pytest.raises(UserError, match="--factory"):
        with_changes(IndexSettings("knn"), {"factory": "Flat"})
    with pytest.raises(UserError, match="unknown index setting"):
        with_changes(IndexSettings("knn"), {"metrics": "cosine"})
