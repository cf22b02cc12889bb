"""Tests of checking and preparing a run directory."""

from __future__ import annotations

import dataclasses

import pytest

from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.run_directory import check_run_directory, prepare_run_directory

CONFIG = TrainConfig.for_recipe("triplet")
DATA = {"source": "digits", "fingerprint": "f", "n": 3}


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "run")
    prepare_run_directory(run, DATA, CONFIG, overwrite=False, argv=["tfret", "train"], replicas=2)
    return run


def check(run: Run, config: TrainConfig = CONFIG, data: dict = DATA, resume=False, overwrite=False) -> None:
    check_run_directory(run, data, config, resume, overwrite)


def test_preparation_writes_the_manifest(run):
    manifest = run.manifest()
    assert (manifest["data"], manifest["argv"], manifest["replicas"]) == (DATA, ["tfret", "train"], 2)
    assert run.config() == CONFIG.to_dict()


def test_preparation_with_overwrite_deletes_the_previous_run(run):
    run.history_path.write_text("epoch\n")
    prepare_run_directory(run, DATA, CONFIG, overwrite=True, argv=None, replicas=1)
    assert not run.history_path.exists()


def test_missing_or_empty_directory_is_available(tmp_path):
    check(Run(tmp_path / "missing"))
    check(Run(tmp_path))


def test_directory_of_a_training_that_was_killed_at_its_start_is_available(tmp_path):
    for name in ("config.yaml", ".tmp-1-run.json"):
        (tmp_path / name).write_text("")
    check(Run(tmp_path))


def test_directory_with_other_files_is_an_error(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(UserError, match="--run"):
            check(Run(path), resume=True)


def test_existing_run_needs_resume_or_overwrite(run):
    with pytest.raises(UserError, match="--resume"):
        check(run)
    check(run, resume=True)
    check(run, overwrite=True)


def test_resume_may_change_epochs_and_patience_only(run):
    check(run, dataclasses.replace(CONFIG, epochs=99, patience=3), resume=True)
    with pytest.raises(UserError, match="margin"):
        check(run, dataclasses.replace(CONFIG, margin=0.5), resume=True)


def test_resume_with_other_data_is_an_error(run):
    with pytest.raises(UserError, match="data"):
        check(run, data={**DATA, "fingerprint": "other"}, resume=True)
