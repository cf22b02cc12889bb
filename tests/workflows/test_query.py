"""From images to their neighbors."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.fit import train
from tfretrieval.workflows import query as module
from tfretrieval.workflows.query import query_run


def test_a_gallery_image_finds_itself_first(run, catalog):
    images = sorted(p for p in catalog.split("train").paths)[:3]
    answers = query_run(run, [Path(p) for p in images], k=4)
    assert [answer["image"] for answer in answers] == images
    for answer in answers:
        assert answer["neighbors"][0]["path"] == answer["image"]
        assert [n["rank"] for n in answer["neighbors"]] == [1, 2, 3, 4]
        distances = [n["distance"] for n in answer["neighbors"]]
        assert distances == sorted(distances)
        labels = [n["label"] for n in answer["neighbors"]]
        assert labels.count(answer["vote"]) == max(labels.count(name) for name in labels)


def test_the_same_image_twice_is_answered_twice(run, catalog):
    image = Path(catalog.split("test").paths[0])
    one, other = query_run(run, [image, image], k=2, retriever="faiss")
    assert one == other
    assert one["neighbors"][0]["distance"] == pytest.approx(np.float32(one["neighbors"][0]["distance"]))


def test_an_index_that_stands_answers_without_reading_the_images_folder(run, catalog, monkeypatch):
    image = Path(catalog.split("test").paths[0])
    first = query_run(run, [image])
    monkeypatch.setattr(module, "run_catalog", lambda *_: pytest.fail("the folder was read"))
    assert query_run(run, [image]) == first
    assert query_run(run, [image], gallery_split="train") == first


def test_another_split_is_searched_when_it_is_named(run, catalog):
    image = Path(catalog.split("test").paths[0])
    query_run(run, [image])
    found = query_run(run, [image], gallery_split="test")[0]["neighbors"][0]
    assert found["path"] == str(image)


def test_images_that_were_added_since_are_found(scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    run = Run(tmp_path / "run")
    train(Catalog.from_source(data), TrainConfig.for_recipe("triplet", image_size=16, epochs=0), run)
    asking = data / "test" / "sea" / "0.png"
    query_run(run, [asking])
    new = data / "train" / "sea" / "new.png"
    shutil.copy(asking, new)
    later = time.time() + 5
    os.utime(new.parent, (later, later))
    assert query_run(run, [asking], k=1)[0]["neighbors"][0]["path"] == str(new)


def test_what_was_asked_for_by_class_is_no_vote(run, catalog):
    image = Path(catalog.split("test").paths[0])
    (answer,) = query_run(run, [image], k=3, classes=[catalog.class_names[1]])
    assert {item["label"] for item in answer["neighbors"]} == {catalog.class_names[1]}
    assert answer["vote"] is None


def test_an_unknown_class_is_refused_before_the_image_is_embedded(run, catalog, monkeypatch):
    image = Path(catalog.split("test").paths[0])
    query_run(run, [image])
    monkeypatch.setattr(module, "embed_catalog", lambda *_: pytest.fail("it was embedded"))
    with pytest.raises(UserError, match="the gallery has no class 'nope'"):
        query_run(run, [image], classes=["nope"])


def test_a_missing_image(run, tmp_path):
    with pytest.raises(UserError, match=r"no image .*none\.png"):
        query_run(run, [tmp_path / "none.png"])
