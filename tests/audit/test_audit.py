"""Audit of a catalog, with and without a model."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tfretrieval.audit.audit import audit, count_issues, describe_duplicates
from tfretrieval.audit.page import write_audit_page
from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.fit import train
from tfretrieval.workflows.embed import embed_split


def test_without_a_run_labels_are_not_checked(flawed):
    result = audit(Catalog.from_source(flawed))
    assert result["duplicates"] == [
        {
            "kind": "duplicate",
            "ids": ["train/sea/0.png", "train/sea/twice.png"],
            "labels_differ": False,
            "splits_differ": False,
        }
    ]
    (near,) = result["near_duplicates"]
    assert near.pop("similarity") > 0.85
    assert near == {
        "kind": "near duplicate",
        "ids": ["test/field/again.jpg", "train/field/1.png"],
        "labels_differ": False,
        "splits_differ": True,
    }
    assert result["leaks"] == [
        {"kind": "near duplicate", "ids": {"test": ["test/field/again.jpg"], "train": ["train/field/1.png"]}}
    ]
    assert (result["n_label_issues"], result["label_issues"]) == (None, None)
    assert list(result["broken"]) == ["test/sea/broken.png"]


def test_issues_are_counted_and_duplicates_described(result):
    assert count_issues(result) == {
        "duplicates": 1, "near duplicates": 1, "leaks": 1, "broken files": 1, "image issues": 0
    }  # fmt: skip
    assert describe_duplicates(result["duplicates"][0]) == "duplicate"
    near = describe_duplicates(result["near_duplicates"][0])
    assert near.startswith("near duplicate, similarity 0.")
    assert near.endswith(", different splits")


def test_a_wrong_label_has_the_highest_score_and_neighbors_of_the_suggested_class(result):
    first = result["label_issues"][0]
    assert (first["id"], first["label"], first["suggested_label"]) == ("train/town/wrong.png", "town", "sea")
    assert 0 < first["score"] <= 1
    assert [other["label"] for other in first["neighbors"]] == ["sea"] * 4
    cosines = [other["cosine"] for other in first["neighbors"]]
    assert cosines == sorted(cosines, reverse=True)
    assert sum(first["neighbor_labels"].values()) == 20
    assert "test/sea/broken.png" not in {other["id"] for each in result["label_issues"] for other in each["neighbors"]}


def test_the_list_of_label_issues_is_limited_but_not_their_count(flawed, frozen, result):
    cut = audit(Catalog.from_source(flawed), frozen, max_label_issues=0)
    assert cut["label_issues"] == []
    assert cut["n_label_issues"] == result["n_label_issues"] >= 1


def test_stored_embeddings_are_used_if_current_and_others_stored_separately(scenes, flawed, frozen, tmp_path):
    run = Run(shutil.copytree(frozen.directory, tmp_path / "run"))
    catalog = Catalog.from_source(scenes)
    for split in catalog.split_names:
        embed_split(run, catalog, split)
    before = (run.embeddings("train") / "vectors.npy").stat().st_mtime_ns
    shutil.rmtree(run.directory / "audit", ignore_errors=True)
    audit(catalog, run)
    assert not (run.directory / "audit").exists()
    other = Catalog.from_source(flawed)
    first = audit(other, run)
    at = (run.audit("train") / "vectors.npy").stat().st_mtime_ns
    assert audit(other, run) == first
    assert (run.audit("train") / "vectors.npy").stat().st_mtime_ns == at
    assert (run.embeddings("train") / "vectors.npy").stat().st_mtime_ns == before


def test_a_trained_model_is_noted(scenes, run):
    notes = audit(Catalog.from_source(scenes), run)["notes"]
    assert any("is trained" in note for note in notes)


def relabelled(scenes, labels_of) -> Catalog:
    catalog = Catalog.from_source(scenes)
    return replace(catalog, labels=np.asarray(labels_of(catalog.labels), np.int32))


def test_unlabelled_images_are_not_used_for_label_issues(scenes, frozen):
    result = audit(relabelled(scenes, lambda labels: np.where(labels == 2, -1, labels)), frozen)
    assert all(each["label"] in ("field", "sea") for each in result["label_issues"])
    assert all(set(each["neighbor_labels"]) <= {"field", "sea"} for each in result["label_issues"])


def test_small_classes_are_not_checked(scenes, frozen):
    def one_of_each(labels):
        changed = np.where(labels == 0, 0, -1)
        changed[np.flatnonzero(labels == 1)[0]] = 1
        return changed

    result = audit(relabelled(scenes, one_of_each), frozen)
    assert (result["n_label_issues"], result["label_issues"]) == (0, [])
    assert any("labels were not checked" in note for note in result["notes"])

    def a_class_of_one(labels):
        changed = np.minimum(labels, 1)
        changed[np.flatnonzero(labels == 2)[0]] = 2
        return changed

    notes = audit(relabelled(scenes, a_class_of_one), frozen)["notes"]
    assert any(note.startswith("1 labels were not checked") for note in notes)


def test_a_catalog_of_broken_files(flawed, frozen, tmp_path):
    data = Path(shutil.copytree(flawed, tmp_path / "all"))
    for path in data.rglob("*.*"):
        path.write_bytes(path.name.encode() + str(path.parent).encode())
    result = audit(Catalog.from_source(data), frozen)
    assert len(result["broken"]) == result["n"]
    assert (result["label_issues"], result["near_duplicates"]) == ([], [])
    write_audit_page(tmp_path / "a.html", Catalog.from_source(data), result, frozen)


def test_a_run_without_a_model_raises(scenes, tmp_path):
    with pytest.raises(UserError, match="model"):
        audit(Catalog.from_source(scenes), Run(tmp_path))


@pytest.fixture(scope="module")
def real_run(mit_split, pretrained_weights, tmp_path_factory) -> Run:
    run = Run(tmp_path_factory.mktemp("real") / "run")
    config = TrainConfig.for_recipe(
        "resnet", backbone="mobilenet_v2_0.35", weights=str(pretrained_weights), epochs=0, seed=0
    )
    train(Catalog.from_source(mit_split), config, run)
    return run


@pytest.mark.real
def test_duplicates_leaks_and_flipped_labels_of_the_photographs_are_found(mit_split, real_run, tmp_path):
    catalog = Catalog.from_source(mit_split)
    rng = np.random.default_rng(0)
    rows = rng.choice(len(catalog), 40, replace=False)
    labels = catalog.labels.copy()
    labels[rows] = (labels[rows] + rng.integers(1, 8, 40)) % 8
    with (tmp_path / "flipped.csv").open("w", newline="") as file:
        names = [catalog.class_names[label] for label in labels]
        csv.writer(file).writerows(
            [("path", "label", "split", "id"), *zip(catalog.paths, names, catalog.splits, catalog.ids)]
        )
    result = audit(Catalog.from_source(tmp_path / "flipped.csv"), real_run, max_label_issues=80)
    assert len({each["id"] for each in result["label_issues"]} & set(catalog.ids[rows])) >= 35
    assert [each["ids"] for each in result["duplicates"]] == [
        ["train/inside_city/urb992.jpg", "train/tallbuilding/urb992.jpg"],
        ["train/mountain/sclos4.jpg", "train/mountain/sharp59.jpg"],
    ]
    leaks = [each["ids"] for each in result["leaks"]]
    assert {"test": ["test/mountain/land787.jpg"], "train": ["train/mountain/land763.jpg"]} in leaks
    assert 10 <= len(result["near_duplicates"]) <= 30
    write_audit_page(tmp_path / "a.html", Catalog.from_source(tmp_path / "flipped.csv"), result, real_run)
    assert 1e6 < (tmp_path / "a.html").stat().st_size < 1e7
