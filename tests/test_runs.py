"""The folder of a run and its manifest."""

from __future__ import annotations

import os

import pytest

from tfretrieval.artifacts import CorruptArtifact
from tfretrieval.errors import UserError
from tfretrieval.runs import RUN, Run, file_fingerprint, new_run_directory, versions


def begun(directory, seed=0) -> Run:
    run = Run(directory)
    run.write_manifest({"seed": seed, "loss": "triplet"}, {"source": "digits"}, argv=["tfret", "train"])
    return run


def test_the_manifest_says_what_made_the_run(tmp_path):
    run = Run.open(begun(tmp_path / "r", seed=7).directory)
    manifest = run.manifest()
    assert (manifest["seed"], manifest["argv"], manifest["data"]) == (7, ["tfret", "train"], {"source": "digits"})
    assert {"python", "tfretrieval", "tensorflow", "keras", "numpy"} <= set(manifest["versions"])
    assert manifest["machine"]["cpus"] >= 1
    assert manifest["machine"]["processor"]
    assert run.config() == {"seed": 7, "loss": "triplet"}


def test_costs_of_the_training_are_added_to_the_manifest(tmp_path):
    run = begun(tmp_path / "r")
    run.record_training(parameters=10)
    assert run.manifest()["training"] == {"parameters": 10}
    assert run.manifest()["argv"] == ["tfret", "train"]


def test_the_newest_run_is_the_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="there is no run below runs/"):
        Run.open()
    for age, name in enumerate(("c", "a", "b")):
        begun(tmp_path / "runs" / name)
        os.utime(tmp_path / "runs" / name / "run.json", (1000 - age, 1000 - age))
    assert Run.open().directory.name == "c"


def test_a_name_that_is_taken_gets_a_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = []
    for _ in range(3):
        directory = new_run_directory("triplet")
        directory.mkdir(parents=True)
        names.append(directory.name)
    assert names == ["triplet", "triplet-2", "triplet-3"]


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(UserError, match=r"is not a run: it has no run\.json"):
        Run.open(tmp_path)
    run = begun(tmp_path / "r")
    with pytest.raises(UserError, match=r"has no model yet; finish training with .*--resume --run"):
        run.model_fingerprint()
    (run.directory / "config.yaml").write_text("- a list")
    with pytest.raises(CorruptArtifact):
        run.config()
    (run.directory / "config.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(CorruptArtifact):
        run.config()


def test_a_fingerprint_follows_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    assert file_fingerprint(tmp_path / "a") == file_fingerprint(tmp_path / "b")
    (tmp_path / "b").write_bytes(b"2")
    assert file_fingerprint(tmp_path / "a") != file_fingerprint(tmp_path / "b")


def test_packages_that_are_not_installed_have_no_version(monkeypatch):
    monkeypatch.setattr("tfretrieval.runs.PACKAGES", ("numpy", "no-such-package"))
    assert set(versions()) == {"python", "tfretrieval", "numpy"}


def test_the_source_of_a_run_is_read_from_its_manifest(tmp_path):
    run = Run(tmp_path)
    for data, error in (({"source": ""}, UserError), ({}, CorruptArtifact), ([], CorruptArtifact)):
        RUN.write_header(tmp_path, {"data": data})
        with pytest.raises(error):
            run.source()
    RUN.write_header(tmp_path, {"data": {"source": "digits"}})
    assert run.source() == "digits"
