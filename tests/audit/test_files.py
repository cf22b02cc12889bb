"""Faults of a data set."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from tfretrieval.audit.files import audit_catalog, read_facts
from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError


def test_a_sound_data_set_has_no_faults(scenes):
    found = audit_catalog(Catalog.from_source(scenes))
    assert found["n"] == 27
    assert found["classes"]["sea"] == {"test": 3, "train": 6}
    assert (found["duplicates"], found["broken"], found["odd"]) == ([], {}, {})
    assert found["notes"] == ["27 of 27 images: with a side below 32 pixels"]


def test_every_fault_is_found(scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    shutil.copy(data / "train/sea/0.png", data / "test/town/again.png")
    (data / "train/sea/5.png").write_bytes(b"no image")
    (data / "train/lone").mkdir()
    Image.new("RGB", (9, 9)).save(data / "train/lone/1.png")
    for i in range(20):
        Image.fromarray(np.full((8, 8, 3), i, np.uint8)).save(data / f"train/town/more{i}.png")
    found = audit_catalog(Catalog.from_source(data))
    assert found["duplicates"] == [
        {"ids": ["test/town/again.png", "train/sea/0.png"], "labels_differ": True, "splits_differ": True}
    ]
    assert list(found["broken"]) == ["train/sea/5.png"]
    assert "class lone has 1 image: too few" in found["notes"][0]
    assert "classes are uneven: town has 30 images, lone 1" in found["notes"][1]


def test_images_without_a_class_are_noted(scenes):
    paths = [str(path) for path in sorted(scenes.rglob("*.png"))]
    catalog = Catalog.from_lists(paths, [0] * 10 + [1] * 10 + [-1] * 7, ["a", "b"])
    assert audit_catalog(catalog)["notes"][0].startswith("7 images have no class")


def test_odd_images_are_listed_and_what_is_usual_is_a_note(scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    Image.open(data / "train/sea/0.png").resize((64, 64)).convert("L").save(data / "train/sea/gray.png")
    Image.new("RGB", (40, 40), "white").save(data / "train/sea/white.png")
    (data / "train/sea/broken.png").write_bytes((data / "train/sea/gray.png").read_bytes()[:-100])
    found = audit_catalog(Catalog.from_source(data))
    assert found["odd"] == {
        "gray": ["train/sea/gray.png"],
        "gray in color": ["train/sea/white.png"],
        "one color": ["train/sea/white.png"],
    }
    assert list(found["broken"]) == ["train/sea/broken.png"]
    assert found["notes"] == ["27 of 30 images: with a side below 32 pixels"]


def test_the_grey_pixels_are_those_of_the_whole_image(scenes):
    catalog = Catalog.from_source(scenes)
    facts = read_facts(catalog)
    for row in (0, 11, 26):
        small = Image.open(catalog.paths[row]).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR).convert("L")
        assert np.abs(facts.gray[row].astype(int) - np.asarray(small)).max() <= 1
    assert facts.whole.tolist() == list(range(27))


def test_remote_images_are_refused(tmp_path):
    catalog = Catalog.from_lists(["s3://bucket/a.jpg"], [0], ["a"])
    with pytest.raises(UserError, match=r"s3://bucket/a\.jpg is not a file of this machine"):
        read_facts(catalog)


def test_a_catalog_without_classes_is_audited(scenes):
    found = audit_catalog(Catalog.from_lists([str(path) for path in scenes.rglob("*.png")]))
    assert (found["n"], found["classes"]) == (27, {})


@pytest.mark.real
def test_the_known_faults_of_the_photographs_are_found(mit_split):
    found = audit_catalog(Catalog.from_source(mit_split))
    assert found["broken"] == {}
    assert found["duplicates"] == [
        {
            "ids": ["train/inside_city/urb992.jpg", "train/tallbuilding/urb992.jpg"],
            "labels_differ": True,
            "splits_differ": False,
        },
        {
            "ids": ["train/mountain/sclos4.jpg", "train/mountain/sharp59.jpg"],
            "labels_differ": False,
            "splits_differ": False,
        },
    ]
