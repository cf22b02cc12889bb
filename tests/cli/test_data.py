"""`tfret data`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest


def test_audit_prints_issues_and_writes_a_page(tfret, run, scenes, tmp_path):
    data = Path(shutil.copytree(scenes, tmp_path / "scenes"))
    shutil.copy(data / "train/sea/0.png", data / "test/town/again.png")
    (data / "train/town/broken.png").write_bytes(b"no image")
    page = tmp_path / "pages" / "audit.html"
    outcome = tfret("data", "audit", data, "--run", run, "--page", page)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == "29 images, 3 classes; duplicates 1, near duplicates 0, leaks 1, broken files 1, image issues 0"
    assert "duplicate, different classes, different splits: test/town/again.png, train/sea/0.png" in lines
    assert any(line.startswith("broken: train/town/broken.png: ") for line in lines)
    assert any(" label issues" in line for line in lines)
    assert lines[-1] == f"page: {page}"
    assert "<!DOCTYPE html>" in page.read_text("utf-8")
    result = tfret("data", "audit", data, "--run", run, "--label-issues", 1, "--json").result
    assert len(result["label_issues"]) <= 1 <= result["n_label_issues"]
    assert {"leaks", "near_duplicates", "image_issues", "notes"} <= set(result)


def test_audit_without_a_run_suggests_a_pretrained_model(tfret, scenes):
    outcome = tfret("data", "audit", scenes)
    assert "labels were not checked" in outcome.out.splitlines()[-1]
    assert "--epochs 0" in outcome.out


def test_verify_exits_with_1_and_prints_its_result(tfret, tmp_path):
    outcome = tfret("data", "verify", tmp_path, "--json")
    assert outcome.code == 1
    assert len(json.loads(outcome.out)["faults"]) == 2688


def test_a_line_break_in_a_file_name_is_escaped(tfret, data):
    broken = data / "train" / "sea" / "two\nlines.jpg"
    broken.write_bytes(b"no image")
    outcome = tfret("data", "audit", data)
    assert "train/sea/two\\nlines.jpg" in outcome.out


def test_a_missing_or_invalid_archive_is_an_error(tfret, tmp_path):
    (tmp_path / "text.zip").write_text("no zip")
    for name in ("gone.zip", "text.zip"):
        options = ("--archive", tmp_path / name, "--output", tmp_path / "out")
        assert name in tfret("data", "prepare", "mit-split", *options).failure


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--label-issues", -1), "--label-issues"),
        (("--page", "a.jpg"), "--page"),
        (("--retriever", "x"), ""),
    ],
)
def test_invalid_audit_options_are_wrong_usage(tfret, scenes, options, message):
    outcome = tfret("data", "audit", scenes, *options)
    assert outcome.code == 2
    assert message in outcome.err


def test_an_audit_of_an_invalid_source_is_an_error(tfret, data, run, tmp_path, images, write_csv):
    assert "nowhere" in tfret("data", "audit", tmp_path / "nowhere").failure
    (data / "train" / "void").mkdir()
    assert "void" in tfret("data", "audit", data).failure
    one = write_csv(tmp_path / "one.csv", ["path", "label"], [[path, "x"] for path in images(data)])
    assert "class" in tfret("data", "audit", one).failure
    rows = [["s3://bucket/a.jpg", "x"], ["s3://bucket/b.jpg", "y"]]
    remote = write_csv(tmp_path / "remote.csv", ["path", "label"], rows)
    assert "s3://bucket/a.jpg" in tfret("data", "audit", remote).failure


def test_an_audit_with_an_invalid_run_is_an_error(tfret, scenes, run, tmp_path, truncate):
    assert "not a run" in tfret("data", "audit", scenes, "--run", tmp_path / "gone").failure
    truncate(run / "model.keras")
    assert "model.keras" in tfret("data", "audit", scenes, "--run", run).failure


def test_an_unwritable_page_is_an_error(tfret, scenes, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert "file" in tfret("data", "audit", scenes, "--page", tmp_path / "file" / "a.html").failure
    assert (tmp_path / "file").read_text() == "in the way"


def test_digits_are_prepared_as_images(tfret):
    assert tfret("data", "prepare", "digits", "--json").result["n"] == 1797


def test_audit_prints_one_json_object(tfret, scenes):
    result = tfret("data", "audit", scenes, "--json").result
    assert (result["n"], result["broken"]) == (27, {})
