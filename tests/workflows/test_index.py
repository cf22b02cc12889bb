"""An index is reused until its gallery or its settings change."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.artifacts import CorruptArtifact
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import FaissSettings, KNNSettings
from tfretrieval.retrieval.tuning import Trial, Tuning
from tfretrieval.workflows.index import IndexRequest, ensure_index, index_recall, load_index, with_changes


def gallery(seed: int, n: int = 60) -> Embeddings:
    return Embeddings.from_arrays(np.random.default_rng(seed).normal(size=(n, 8)), np.arange(n) % 3)


def request(retriever="knn", **changes) -> IndexRequest:
    return IndexRequest(retriever, changes)


def test_an_index_that_is_up_to_date_is_reused_with_its_settings(run):
    ensure_index(run, gallery(0), request(pca=4))
    written = (run.index("knn") / "index.json").stat().st_mtime_ns
    assert ensure_index(run, gallery(0), request()).settings.pca == 4
    assert (run.index("knn") / "index.json").stat().st_mtime_ns == written


def test_another_gallery_or_setting_rebuilds(run):
    ensure_index(run, gallery(0), request())
    assert ensure_index(run, gallery(1), request()).gallery_fingerprint == gallery(1).fingerprint
    assert ensure_index(run, gallery(1), request(pca=0.5)).settings.pca == 0.5
    assert ensure_index(run, gallery(1), request(pca="none")).settings.pca is None


def test_indexes_of_other_names_do_not_touch_each_other(run):
    plain = ensure_index(run, gallery(0), request())
    reduced = ensure_index(run, gallery(0), IndexRequest("knn", {"pca": 2}, name="knn-pca"))
    assert (plain.dim, reduced.dim) == (8, 2)
    assert load_index(run, "knn").settings.pca is None
    assert load_index(run, "knn-pca").settings.pca == 2


def test_the_metric_is_that_of_the_training(run):
    index = ensure_index(run, gallery(0), request("faiss"))
    assert index.settings.metric == run.config()["metric"] == "euclidean"


def test_a_corrupt_index_is_rebuilt_on_request_with_its_settings(run, caplog):
    ensure_index(run, gallery(0), request(pca=4))
    (run.index("knn") / "retriever" / "vectors.npy").write_bytes(b"half")
    with pytest.raises(CorruptArtifact, match=f"tfret index --run {run.directory} --retriever knn"):
        ensure_index(run, gallery(0), request())
    rebuilt = ensure_index(run, gallery(0), IndexRequest("knn", rebuild_corrupt=True))
    assert rebuilt.settings.pca == 4
    assert "corrupt" in caplog.text


def test_the_recall_of_an_approximate_index_is_recorded(run):
    many = gallery(0, 400)
    index = ensure_index(run, many, request("faiss", factory="IVF10,Flat", nprobe=1))
    recall = Index.load(run.index("faiss")).provenance["recall_at_10"]
    assert recall == index_recall(index, many)
    assert 0.2 < recall < 1
    assert index_recall(ensure_index(run, many, request("faiss", nprobe=10)), many) == 1


def test_a_target_recall_and_a_factory_replace_each_other():
    tuned = with_changes(FaissSettings(factory="IVF4,Flat", nprobe=2), {"target_recall": 0.9, "pca": None})
    assert tuned == FaissSettings(target_recall=0.9)
    assert with_changes(tuned, {"factory": "Flat"}) == FaissSettings(factory="Flat")


def test_a_target_that_only_exact_search_reaches_gives_an_exact_index(run, monkeypatch):
    flat, other = Trial("Flat", {}, 1.0, 1.0, 50.0, 32.0), Trial("HNSW32", {"efSearch": 16}, 0.7, 0.69, 40.0, 288.0)
    monkeypatch.setattr("tfretrieval.retrieval.tuning.tune", lambda *_: Tuning(flat, 0.9, 10, (flat, other)))
    index = ensure_index(run, gallery(0), request("faiss", target_recall=0.9))
    assert index.retriever.is_exact
    assert index.effective_settings.factory == "Flat"


def test_settings_of_another_retriever_are_refused():
    with pytest.raises(UserError, match="--factory"):
        with_changes(KNNSettings(), {"factory": "Flat"})
    with pytest.raises(UserError, match="--metrics"):
        with_changes(KNNSettings(), {"metrics": "cosine"})
