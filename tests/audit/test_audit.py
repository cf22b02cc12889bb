"""What is wrong with a data set, with and without a model."""

from __future__ import annotations

import base64
import csv
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from tfretrieval.audit.audit import audit
from tfretrieval.audit.page import write_audit_page
from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.fit import train
from tfretrieval.workflows import audit_page
from tfretrieval.workflows.embed import embed_split


@pytest.fixture(scope="module")
def spoilt(scenes, tmp_path_factory):
    """The scenes with a wrong label, a file that is there twice, one that is there again, and a broken one."""
    data = Path(shutil.copytree(scenes, tmp_path_factory.mktemp("spoilt") / "scenes"))
    (data / "train/sea/5.png").rename(data / "train/town/wrong.png")
    shutil.copy(data / "train/sea/0.png", data / "train/sea/twice.png")
    with Image.open(data / "train/field/1.png") as image:
        again = ImageEnhance.Brightness(image.resize((72, 72), Image.Resampling.BICUBIC)).enhance(0.9)
        again.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(data / "test/field/again.jpg", quality=90)
    (data / "test/sea/broken.png").write_bytes(b"no image")
    return data


@pytest.fixture(scope="module")
def frozen(scenes, tmp_path_factory) -> Run:
    """A net that was never trained: the mean colors it sees tell these scenes apart."""
    run = Run(tmp_path_factory.mktemp("frozen") / "run")
    train(Catalog.from_source(scenes), TrainConfig.for_recipe("triplet", epochs=0, image_size=16), run)
    return run


@pytest.fixture(scope="module")
def found(spoilt, frozen):
    return audit(Catalog.from_source(spoilt), frozen)


def test_without_a_model_files_and_pixels_are_compared_and_labels_are_not(spoilt):
    found = audit(Catalog.from_source(spoilt))
    assert found["duplicates"] == [
        {"ids": ["train/sea/0.png", "train/sea/twice.png"], "labels_differ": False, "splits_differ": False}
    ]
    (near,) = found["near_duplicates"]
    assert near.pop("likeness") > 0.85
    assert near == {
        "ids": ["test/field/again.jpg", "train/field/1.png"], "labels_differ": False, "splits_differ": True
    }  # fmt: skip
    assert found["leaks"] == [
        {"kind": "near duplicate", "ids": {"test": ["test/field/again.jpg"], "train": ["train/field/1.png"]}}
    ]
    assert (found["n_suspects"], found["suspects"]) == (None, None)
    assert list(found["broken"]) == ["test/sea/broken.png"]


def test_a_wrong_label_comes_first_with_the_neighbors_that_say_so(found):
    first = found["suspects"][0]
    assert (first["id"], first["label"], first["suggested"]) == ("train/town/wrong.png", "town", "sea")
    assert 0 < first["score"] <= 1
    assert [other["label"] for other in first["neighbors"]] == ["sea"] * 4
    cosines = [other["cosine"] for other in first["neighbors"]]
    assert cosines == sorted(cosines, reverse=True)
    assert sum(first["votes"].values()) == 20
    assert "test/sea/broken.png" not in {other["id"] for each in found["suspects"] for other in each["neighbors"]}


def test_the_list_is_cut_and_the_count_is_not(spoilt, frozen, found):
    cut = audit(Catalog.from_source(spoilt), frozen, most=0)
    assert cut["suspects"] == []
    assert cut["n_suspects"] == found["n_suspects"] >= 1


def test_stored_embeddings_are_used_where_they_are_current_and_else_kept_apart(scenes, spoilt, frozen, tmp_path):
    run = Run(shutil.copytree(frozen.directory, tmp_path / "run"))
    catalog = Catalog.from_source(scenes)
    for split in catalog.split_names:
        embed_split(run, catalog, split)
    before = (run.embeddings("train") / "vectors.npy").stat().st_mtime_ns
    shutil.rmtree(run.directory / "audit", ignore_errors=True)
    audit(catalog, run)
    assert not (run.directory / "audit").exists()
    other = Catalog.from_source(spoilt)
    first = audit(other, run)
    at = (run.audit("train") / "vectors.npy").stat().st_mtime_ns
    assert audit(other, run) == first
    assert (run.audit("train") / "vectors.npy").stat().st_mtime_ns == at
    assert (run.embeddings("train") / "vectors.npy").stat().st_mtime_ns == before


def test_a_trained_model_is_noted(scenes, run):
    notes = audit(Catalog.from_source(scenes), run)["notes"]
    assert any("may have learned the wrong ones" in note for note in notes)


def relabelled(scenes, labels_of) -> Catalog:
    catalog = Catalog.from_source(scenes)
    return replace(catalog, labels=np.asarray(labels_of(catalog.labels), np.int32))


def test_unknown_labels_are_not_judged_and_are_no_evidence(scenes, frozen):
    found = audit(relabelled(scenes, lambda labels: np.where(labels == 2, -1, labels)), frozen)
    assert all(each["label"] in ("field", "sea") for each in found["suspects"])
    assert all(set(each["votes"]) <= {"field", "sea"} for each in found["suspects"])


def test_classes_of_one_and_single_classes(scenes, frozen):
    def one_of_each(labels):
        found = np.where(labels == 0, 0, -1)
        found[np.flatnonzero(labels == 1)[0]] = 1
        return found

    found = audit(relabelled(scenes, one_of_each), frozen)
    assert (found["n_suspects"], found["suspects"]) == (0, [])
    assert "labels are not judged: that needs two classes with 4 images or more" in found["notes"]

    def a_class_of_one(labels):
        found = np.minimum(labels, 1)
        found[np.flatnonzero(labels == 2)[0]] = 2
        return found

    notes = audit(relabelled(scenes, a_class_of_one), frozen)["notes"]
    assert "1 labels are not judged: their classes have fewer than 4 images" in notes


def test_nothing_but_broken_files(spoilt, frozen, tmp_path):
    data = Path(shutil.copytree(spoilt, tmp_path / "all"))
    for path in data.rglob("*.*"):
        path.write_bytes(path.name.encode() + str(path.parent).encode())
    found = audit(Catalog.from_source(data), frozen)
    assert len(found["broken"]) == found["n"]
    assert (found["suspects"], found["near_duplicates"]) == ([], [])
    write_audit_page(tmp_path / "a.html", Catalog.from_source(data), found, frozen)


def test_a_run_without_a_model_is_a_users_mistake(scenes, tmp_path):
    with pytest.raises(UserError, match="has no model yet"):
        audit(Catalog.from_source(scenes), Run(tmp_path))


def alts(html: str) -> list[str]:
    return re.findall(r'<img [^>]*alt="([^"]*)"', html)


def test_the_page_shows_pairs_side_by_side_and_suspects_beside_neighbors(spoilt, frozen, found, tmp_path):
    write_audit_page(tmp_path / "a.html", Catalog.from_source(spoilt), found, frozen)
    html = (tmp_path / "a.html").read_text("utf-8")
    shown = alts(html)
    at = shown.index("train/town/wrong.png, labelled town")
    assert all(alt.endswith("labelled sea") for alt in shown[at + 1 : at + 5])
    for pair in (("train/sea/0.png", "train/sea/twice.png"), ("test/field/again.jpg", "train/field/1.png")):
        names = [alt.partition(",")[0] for alt in shown]
        assert any(tuple(names[i : i + 2]) == pair for i in range(len(names)))
    assert "test/sea/broken.png" in html
    for heading in ("Doubtful labels", "Leaks between splits", "More than once in a split", "Broken files"):
        assert f">{heading}</h2>" in html
    assert not re.search(r"<script|https?:|url\(", re.sub(r"base64,[^\"]*", "", html))
    assert all(base64.b64decode(data) for data in re.findall(r"webp;base64,([^\"]*)", html))


def test_a_page_without_a_model_says_how_labels_are_judged(spoilt, tmp_path):
    catalog = Catalog.from_source(spoilt)
    write_audit_page(tmp_path / "a.html", catalog, audit(catalog))
    assert "which needs the model of a run: --run DIR" in (tmp_path / "a.html").read_text("utf-8")


def test_a_page_has_limited_room_and_says_what_is_left_out(spoilt, frozen, found, tmp_path, monkeypatch):
    monkeypatch.setattr(audit_page, "ROOM", {"suspects": 0, "groups": 0, "odd": 0})
    write_audit_page(tmp_path / "a.html", Catalog.from_source(spoilt), found, frozen)
    html = (tmp_path / "a.html").read_text("utf-8")
    assert alts(html) == []
    assert f"0 of {found['n_suspects']} are shown; --json lists more." in html


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
    found = audit(Catalog.from_source(tmp_path / "flipped.csv"), real_run, most=80)
    assert len({each["id"] for each in found["suspects"]} & set(catalog.ids[rows])) >= 35
    assert [each["ids"] for each in found["duplicates"]] == [
        ["train/inside_city/urb992.jpg", "train/tallbuilding/urb992.jpg"],
        ["train/mountain/sclos4.jpg", "train/mountain/sharp59.jpg"],
    ]
    leaks = [each["ids"] for each in found["leaks"]]
    assert {"test": ["test/mountain/land787.jpg"], "train": ["train/mountain/land763.jpg"]} in leaks
    assert 10 <= len(found["near_duplicates"]) <= 30
    write_audit_page(tmp_path / "a.html", Catalog.from_source(tmp_path / "flipped.csv"), found, real_run)
    assert 1e6 < (tmp_path / "a.html").stat().st_size < 1e7
