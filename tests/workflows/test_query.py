"""Queries on a run."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.fit import train
from tfretrieval.workflows import query as module
from tfretrieval.workflows.embed import EmbedOptions
from tfretrieval.workflows.query import current_index, query_run


@pytest.fixture
def image(catalog) -> Path:
    return Path(catalog.split("test").paths[0])


@pytest.mark.parametrize("retriever", ["knn", "faiss"])
def test_a_gallery_image_finds_itself_first(run, catalog, retriever):
    images = sorted(catalog.split("train").paths)[:3]
    results = query_run(run, [Path(path) for path in images], 4, retriever)
    assert [result.path for result in results] == images
    for result in results:
        assert result.hits[0].path == result.path
        assert [hit.rank for hit in result.hits] == [1, 2, 3, 4]
        assert [hit.distance for hit in result.hits] == sorted(hit.distance for hit in result.hits)
        labels = [hit.label for hit in result.hits]
        assert labels.count(result.vote) == max(labels.count(name) for name in labels)


def test_an_image_given_twice_has_two_results(run, image):
    one, other = query_run(run, [image, image], k=2)
    assert one.hits == other.hits


def test_an_index_that_is_up_to_date_is_searched_without_reading_the_images(run, image, monkeypatch):
    first = query_run(run, [image])
    monkeypatch.setattr(module, "run_catalog", lambda *_: pytest.fail("the folder was read"))
    assert query_run(run, [image]) == first
    assert query_run(run, [image], options=EmbedOptions(gallery_split="train")) == first


def test_another_gallery_split_is_searched_on_request(run, image):
    query_run(run, [image])
    (result,) = query_run(run, [image], options=EmbedOptions(gallery_split="test"))
    assert result.hits[0].path == str(image)


def test_images_added_since_are_found(scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    run = Run(tmp_path / "run")
    train(Catalog.from_source(data), TrainConfig.for_recipe("triplet", image_size=16, epochs=0), run)
    image = data / "test" / "sea" / "0.png"
    query_run(run, [image])
    new = data / "train" / "sea" / "new.png"
    shutil.copy(image, new)
    later = time.time() + 5
    os.utime(new.parent, (later, later))
    assert query_run(run, [image], k=1)[0].hits[0].path == str(new)


def test_an_overwritten_image_is_re_embedded(scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    run = Run(tmp_path / "run")
    train(Catalog.from_source(data), TrainConfig.for_recipe("triplet", image_size=16, epochs=0), run)
    image, gallery_image = data / "test" / "sea" / "0.png", data / "train" / "town" / "0.png"
    query_run(run, [image])
    gallery_image.write_bytes(image.read_bytes())
    assert query_run(run, [image], k=1)[0].hits[0].path == str(gallery_image)
    assert current_index(run, "faiss") is not None


def test_other_data_are_searched_on_request_only(run, scenes, tmp_path, image):
    first = query_run(run, [image])
    other = shutil.copytree(scenes, tmp_path / "other")
    shutil.copy(image, other / "train" / "sea" / "new.png")
    assert query_run(run, [image], source=str(other))[0].hits[0].path == str(other / "train" / "sea" / "new.png")
    assert query_run(run, [image]) == first


def test_hits_can_be_restricted_to_a_class_and_then_there_is_no_vote(run, catalog, image):
    (result,) = query_run(run, [image], k=3, where={"classes": [catalog.class_names[1]]})
    assert {hit.label for hit in result.hits} == {catalog.class_names[1]}
    assert result.vote == ""


def test_an_unknown_class_is_refused_before_anything_is_embedded(run, image, monkeypatch):
    query_run(run, [image])
    monkeypatch.setattr(module, "embed_catalog", lambda *_: pytest.fail("it was embedded"))
    with pytest.raises(UserError, match="nope"):
        query_run(run, [image], where={"classes": ["nope"]})


def test_a_missing_image_and_a_folder_are_refused(run, tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(UserError, match=path.name):
            query_run(run, [path])


def test_the_index_of_another_model_is_stale(run, image):
    query_run(run, [image])
    assert current_index(run, "faiss") is not None
    assert current_index(run, "knn") is None
    with run.model_path.open("ab") as file:
        file.write(b"\0")
    assert current_index(run, "faiss") is None
