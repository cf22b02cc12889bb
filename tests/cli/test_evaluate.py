"""`tfret evaluate`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click
import numpy as np
import pytest

from tfretrieval.cli.evaluate import threshold
from tfretrieval.embedding.store import Embeddings
from tfretrieval.retrieval.index import Index

QUICK = ("--epochs", 1, "--steps-per-epoch", 1, "--image-size", 16, "--images-per-class", 2, "--batch-size", 4)


@pytest.mark.parametrize("retriever", ["knn", "faiss"])
def test_json_has_metrics_confusion_and_sizes(tfret, run, retriever):
    result = tfret("evaluate", "--run", run, "--retriever", retriever, "-k", 3, "-k", 5, "--seed", 4, "--json").result
    assert result["retriever"] == retriever
    assert (result["n_queries"], result["n_gallery"], result["dim"]) == (9, 18, 10)
    assert {"precision_at_1", "precision_at_3", "map", "map_at_r", "r_precision", "mrr", "knn_accuracy"} <= set(
        result["metrics"]
    )
    confusion = np.array(result["confusion"])
    assert np.trace(confusion) / confusion.sum() == result["metrics"]["precision_at_1"]
    assert (run / "evaluation" / retriever / "pr_curves.csv").is_file()


def test_knn_and_faiss_agree(tfret, run):
    knn, faiss = (
        tfret("evaluate", "--run", run, "--retriever", kind, "--metric", "cosine", "--json").result["metrics"]
        for kind in ("knn", "faiss")
    )
    assert knn == pytest.approx(faiss, abs=1e-6)


def test_two_stores_are_evaluated_without_a_run(tfret, tmp_path):
    rng = np.random.default_rng(0)
    Embeddings.from_arrays(rng.normal(size=(20, 4)), np.arange(20) % 2).save(tmp_path / "g")
    Embeddings.from_arrays(rng.normal(size=(6, 4)), np.arange(6) % 2, ids=[f"q{i}" for i in range(6)]).save(
        tmp_path / "q"
    )
    result = tfret("evaluate", "--gallery", tmp_path / "g", "--queries", tmp_path / "q", "--json").result
    assert (result["n_queries"], result["n_gallery"]) == (6, 20)


def test_fail_under_exits_with_3(tfret, run):
    assert tfret("evaluate", "--run", run, "--fail-under", "map=0.0001").code == 0
    below = tfret("evaluate", "--run", run, "--fail-under", "map=1.01", "--json")
    assert below.code == 3
    assert "map" in below.err
    assert "metrics" in json.loads(below.out)


def test_a_missing_run_is_an_error(tfret, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "runs" in tfret("evaluate").failure
    assert "not a run" in tfret("evaluate", "--run", tmp_path).failure


@pytest.mark.parametrize("name", ["run.json", "config.yaml"])
@pytest.mark.parametrize("content", ["[1, 2]", "{", "{}", None])
def test_a_damaged_run_description_is_an_error(tfret, run, name, content):
    (run / name).unlink() if content is None else (run / name).write_text(content)
    for command in ("evaluate", "embed", "report"):
        line = tfret(command, "--run", run).failure
        assert name in line
        assert "train" in line


def test_a_stale_index_is_rebuilt(tfret, scenes, run):
    first = tfret("evaluate", "--retriever", "knn", "--run", run, "-k", 1, "--json")
    assert first.code == 0
    old = Embeddings.load(run / "embeddings/train").fingerprint
    again = ("train", "triplet", "--data", scenes, "--run", run / "other", *QUICK, "--seed", 5)
    assert tfret(*again).code == 0
    shutil.copy(run / "other" / "model.keras", run / "model.keras")
    second = tfret("evaluate", "--retriever", "knn", "--run", run, "-k", 1, "--json")
    assert "stale" in second.err
    fresh = tfret("evaluate", "--retriever", "knn", "--run", run / "other", "-k", 1, "--json")
    assert fresh.code == second.code == 0
    stores = [Embeddings.load(folder / "embeddings/train") for folder in (run, run / "other")]
    assert stores[0].fingerprint == stores[1].fingerprint != old
    assert Index.load(run / "index/knn").gallery_fingerprint == stores[0].fingerprint


@pytest.mark.parametrize(
    "artifact",
    [
        "model.keras",
        "config.yaml",
        "run.json",
        "index/knn/index.json",
        "index/knn/retriever/retriever.json",
        "index/knn/retriever/vectors.npy",
        "index/knn/transform/transform.npz",
    ],
)
def test_a_damaged_artifact_is_named(tfret, run, artifact, truncate):
    assert tfret("evaluate", "--retriever", "knn", "--run", run, "-k", 1, "--pca", 2).code == 0
    truncate(run / artifact)
    line = tfret("evaluate", "--retriever", "knn", "--run", run, "-k", 1).failure
    assert Path(artifact).parts[0].split(".")[0] in line


def test_stores_of_different_dimensions_are_an_error(tfret, tmp_path):
    labels = [0, 1, 0, 1]
    Embeddings.from_arrays(np.eye(4), labels).save(tmp_path / "a")
    Embeddings.from_arrays(np.ones((4, 3)), labels).save(tmp_path / "b")
    stores = ("evaluate", "--gallery", tmp_path / "a", "-k", 1, "--queries")
    line = tfret(*stores, tmp_path / "b").failure
    assert "3" in line
    assert "4" in line
    assert str(tmp_path) in tfret(*stores, tmp_path).failure
    assert tfret("evaluate", "--gallery", tmp_path / "a").code == 2


def test_a_threshold_on_an_unknown_metric_is_an_error(tfret, run):
    assert "'mep'" in tfret("evaluate", "--run", run, "-k", 1, "--fail-under", "mep=0.5").failure
    assert tfret("evaluate", "--run", run, "-k", 1, "--fail-under", "map").code == 2


def test_stores_of_different_models_are_an_error(tfret, run, tmp_path):
    assert tfret("embed", "--run", run, "--output", tmp_path / "e").code == 0
    header = json.loads((tmp_path / "e" / "test" / "embeddings.json").read_text())
    header["provenance"]["model"] = "another"
    (tmp_path / "e" / "test" / "embeddings.json").write_text(json.dumps(header))
    stores = ("--gallery", tmp_path / "e" / "train", "--queries", tmp_path / "e" / "test")
    assert "models" in tfret("evaluate", *stores).failure


def test_stores_are_compared_by_the_metric_of_their_model(tfret, run, tmp_path):
    assert tfret("embed", "--run", run, "--output", tmp_path / "e").code == 0
    stores = ("--gallery", tmp_path / "e" / "train", "--queries", tmp_path / "e" / "test")
    assert "FAISS, euclidean distance" in tfret("evaluate", *stores).out
    assert "FAISS, cosine distance" in tfret("evaluate", *stores, "--metric", "cosine").out
    indexed = tfret("index", "--store", tmp_path / "e" / "train", "--output", tmp_path / "i", "--json").result
    assert indexed["metric"] == "euclidean"


def test_thresholds_are_parsed():
    assert threshold("map=0.9") == ("map", 0.9)
    for text in ("map", "map=", "map=high"):
        with pytest.raises(click.BadParameter):
            threshold(text)
