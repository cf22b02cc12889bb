"""Audit of files."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from tfretrieval.audit.files import audit_files, read_facts
from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError


def audit(catalog: Catalog) -> dict:
    return audit_files(catalog, read_facts(catalog))


def test_a_clean_data_set_has_no_issues(scenes):
    result = audit(Catalog.from_source(scenes))
    assert result["n"] == 27
    assert result["classes"]["sea"] == {"test": 3, "train": 6}
    assert (result["duplicates"], result["broken"], result["image_issues"]) == ([], {}, {})
    assert result["notes"] == ["27 of 27 images: a side below 32 pixels"]


def test_duplicates_broken_files_and_class_sizes_are_reported(scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    shutil.copy(data / "train/sea/0.png", data / "test/town/again.png")
    (data / "train/sea/5.png").write_bytes(b"no image")
    (data / "train/lone").mkdir()
    Image.new("RGB", (9, 9)).save(data / "train/lone/1.png")
    for i in range(20):
        Image.fromarray(np.full((8, 8, 3), i, np.uint8)).save(data / f"train/town/more{i}.png")
    result = audit(Catalog.from_source(data))
    assert result["duplicates"] == [
        {
            "kind": "duplicate",
            "ids": ["test/town/again.png", "train/sea/0.png"],
            "labels_differ": True,
            "splits_differ": True,
        }
    ]
    assert list(result["broken"]) == ["train/sea/5.png"]
    assert result["notes"][0].startswith("class lone has 1 image")
    assert "town has 30 images, lone 1" in result["notes"][1]


def test_unlabelled_images_are_noted(scenes):
    paths = [str(path) for path in sorted(scenes.rglob("*.png"))]
    catalog = Catalog.from_lists(paths, [0] * 10 + [1] * 10 + [-1] * 7, ["a", "b"])
    assert audit(catalog)["notes"][0].startswith("7 images have no label")


def test_rare_image_issues_are_listed_and_common_ones_noted(scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    Image.open(data / "train/sea/0.png").resize((64, 64)).convert("L").save(data / "train/sea/gray.png")
    Image.new("RGB", (40, 40), "white").save(data / "train/sea/white.png")
    (data / "train/sea/broken.png").write_bytes((data / "train/sea/gray.png").read_bytes()[:-100])
    result = audit(Catalog.from_source(data))
    assert result["image_issues"] == {
        "grayscale": ["train/sea/gray.png"],
        "grayscale_pixels": ["train/sea/white.png"],
        "single_color": ["train/sea/white.png"],
    }
    assert list(result["broken"]) == ["train/sea/broken.png"]
    assert result["notes"] == ["27 of 30 images: a side below 32 pixels"]


def test_gray_pixels_cover_the_whole_image(scenes):
    catalog = Catalog.from_source(scenes)
    facts = read_facts(catalog)
    for row in (0, 11, 26):
        small = Image.open(catalog.paths[row]).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR).convert("L")
        assert np.abs(facts.gray[row].astype(int) - np.asarray(small)).max() <= 1
    assert facts.broken == {}


def test_remote_images_are_refused(tmp_path):
    catalog = Catalog.from_lists(["s3://bucket/a.jpg"], [0], ["a"])
    with pytest.raises(UserError, match=r"s3://bucket/a\.jpg"):
        read_facts(catalog)


def test_a_catalog_without_classes_is_audited(scenes):
    result = audit(Catalog.from_lists([str(path) for path in scenes.rglob("*.png")]))
    assert (result["n"], result["classes"]) == (27, {})


@pytest.mark.real
def test_known_duplicates_of_the_photographs_are_reported(mit_split):
    result = audit(Catalog.from_source(mit_split))
    assert result["broken"] == {}
    assert result["duplicates"] == [
        {
            "kind": "duplicate",
            "ids": ["train/inside_city/urb992.jpg", "train/tallbuilding/urb992.jpg"],
            "labels_differ": True,
            "splits_differ": False,
        },
        {
            "kind": "duplicate",
            "ids": ["train/mountain/sclos4.jpg", "train/mountain/sharp59.jpg"],
            "labels_differ": False,
            "splits_differ": False,
        },
    ]
