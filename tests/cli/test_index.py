"""`tfret index`."""

from __future__ import annotations

import json

import pytest


def test_the_recall_of_an_approximate_index_is_printed(tfret, run):
    exact = tfret("index", "--run", run, "--retriever", "faiss", "--pca", 0.9, "--json").result
    assert exact["exact"]
    assert exact["dim"] <= 10
    approximate = tfret(
        "index",
        "--run",
        run,
        "--retriever",
        "faiss",
        "--factory",
        "IVF3,Flat",
        "--nprobe",
        1,
        "--pca",
        "none",
        "--json",
    ).result
    assert not approximate["exact"]
    assert 0 < approximate["recall_at_10"] <= 1
    text = tfret("index", "--run", run, "--retriever", "faiss")
    assert "approximate, recall@10" in text.out, "settings stay until they are changed"


def test_target_recall_prints_the_trials(tfret, run):
    command = ("index", "--run", run, "--retriever", "faiss", "--target-recall", 0.9)
    result = tfret(*command, "--json").result
    assert result["exact"]
    assert result["tuning"]["target_recall"] == 0.9
    assert [trial["factory"] for trial in result["tuning"]["table"]] == ["Flat"]
    text = tfret(*command).out.splitlines()
    assert text[1].split()[:2] == ["index", "parameters"]
    assert text[2].split()[:3] == ["*", "Flat", "1.0000"]


def test_add_and_remove_change_the_gallery(tfret, run, scenes):
    new = scenes / "test"
    result = tfret("index", "--run", run, "--add", new, "--remove", "train/sea/0.png", "--json").result
    assert result["n"] == 18 + 9 - 1
    nearest = tfret("query", new / "sea" / "1.png", "--run", run, "-k", 1, "--json").result["results"][0]
    assert nearest["hits"][0]["id"] == "sea/1.png"


def test_too_many_components_are_an_error(tfret, run):
    assert "10" in tfret("index", "--run", run, "--pca", 11).failure


@pytest.mark.parametrize("pca", ["-1", "0", "2.5", "all"])
def test_invalid_components_are_wrong_usage(tfret, run, pca):
    assert tfret("index", "--run", run, "--pca", pca).code == 2


@pytest.mark.parametrize("factory", ["Flatt", "IVF4096,Flat"])
def test_an_unusable_factory_string_is_an_error(tfret, run, factory):
    assert factory in tfret("index", "--run", run, "--retriever", "faiss", "--factory", factory).failure
    assert not run.joinpath("index").exists()


def test_faiss_options_require_faiss(tfret, run):
    assert "--factory" in tfret("index", "--run", run, "--retriever", "knn", "--factory", "Flat").failure


def test_unreadable_settings_are_reported_as_lost(tfret, run, truncate):
    index = ("index", "--run", run, "--retriever", "faiss")
    assert tfret(*index, "--pca", 2).code == 0
    truncate(run / "index/faiss/retriever/index.faiss")
    assert "settings of" not in tfret(*index).err
    assert json.loads((run / "index/faiss/index.json").read_text())["settings"]["pca"] == 2
    (run / "index/faiss/index.json").write_text("x")
    assert "settings" in tfret(*index).err
    assert json.loads((run / "index/faiss/index.json").read_text())["settings"]["pca"] is None


def test_index_rebuilds_a_damaged_index(tfret, run, truncate):
    assert tfret("index", "--retriever", "knn", "--run", run).code == 0
    truncate(run / "index/knn/retriever/vectors.npy")
    assert "tfret index" in tfret("evaluate", "--retriever", "knn", "--run", run).failure
    mended = tfret("index", "--retriever", "knn", "--run", run)
    assert mended.code == 0
    assert "damaged" in mended.err
    assert tfret("evaluate", "--retriever", "knn", "--run", run).code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--target-recall", 0.9, "--factory", "Flat"), "--target-recall"),
        (("--nprobe", 3, "--target-recall", 0.9), "--target-recall"),
        (("--target-recall", 1.5), "--target-recall"),
        (("--target-recall", 0), "--target-recall"),
    ],
)
def test_an_invalid_target_recall_is_wrong_usage(tfret, options, message):
    outcome = tfret("index", "--retriever", "faiss", *options)
    assert outcome.code == 2
    assert message in outcome.err


def test_milvus_options_require_milvus(tfret, run):
    assert "--uri" in tfret("index", "--run", run, "--uri", "x.db").failure
    assert ".db" in tfret("index", "--run", run, "--retriever", "milvus", "--uri", "x").failure
    wrong = tfret("index", "--run", run, "--retriever", "milvus", "--index-param", "M")
    assert wrong.code == 2
    assert "--index-param" in wrong.err
    wrong = tfret("study", "--data", "digits", "--uri", "x.db")
    assert wrong.code == 2
    assert "--uri" in wrong.err
