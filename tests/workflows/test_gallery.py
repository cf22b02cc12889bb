"""Images that come into a gallery and items that leave it."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pytest
from PIL import Image

from tfretrieval.artifacts import CorruptArtifact
from tfretrieval.atomic import write_json
from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.workflows import gallery as module
from tfretrieval.workflows.embed import embed_split
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.gallery import change_gallery, run_catalog
from tfretrieval.workflows.index import IndexRequest, ensure_index
from tfretrieval.workflows.query import current_index, query_run


@pytest.fixture
def new_images(tmp_path):
    folder = tmp_path / "new" / "lighthouse"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    for number in range(3):
        Image.fromarray(rng.integers(0, 255, (20, 20, 3), np.uint8)).save(folder / f"{number}.png")
    return folder.parent


@pytest.mark.parametrize("retriever", ["knn", "faiss", "milvus"])
def test_what_is_added_is_found_and_what_is_removed_is_not(run, catalog, new_images, retriever, monkeypatch):
    if retriever == "milvus":
        pytest.importorskip("milvus_lite", reason="Milvus is not installed: pip install '.[milvus]'")
    before = embed_split(run, catalog, "train")
    gone = before.items.ids[2]
    embedded = []
    embed_catalog = module.embed_catalog
    monkeypatch.setattr(
        module, "embed_catalog", lambda run, new, *rest: embedded.extend(new.ids) or embed_catalog(run, new, *rest)
    )
    change_gallery(run, IndexRequest(retriever), [str(new_images)], [gone])
    assert embedded == [f"lighthouse/{number}.png" for number in range(3)], "only what is new is embedded"
    after = run_catalog(run)
    store = Embeddings.load(run.embeddings("train"))
    assert store.provenance["data"] == after.split("train").fingerprint
    assert list(store.items.ids) == [*(name for name in before.items.ids if name != gone), *embedded]
    (result,) = query_run(run, [new_images / "lighthouse" / "1.png"], k=len(store), retriever=retriever)
    found = [hit.id for hit in result.hits]
    assert found[0] == "lighthouse/1.png"
    assert result.hits[0].label == "lighthouse"
    assert sorted(found) == sorted(store.items.ids)
    assert evaluate_run(run, after, IndexRequest(retriever)).evaluation.n_gallery == len(before) + 2


def test_the_change_is_that_of_an_index_built_anew(run, catalog, new_images):
    changed = change_gallery(run, IndexRequest(), [str(new_images)], [str(catalog.split("train").ids[0])])
    gallery = embed_split(run, run_catalog(run), "train")
    shutil.rmtree(run.index("faiss"))
    rebuilt = ensure_index(run, gallery, IndexRequest())
    assert changed.gallery_fingerprint == rebuilt.gallery_fingerprint == gallery.fingerprint
    np.testing.assert_array_equal(changed.search(gallery, 3).rows, rebuilt.search(gallery, 3).rows)
    assert list(changed.items.ids) == list(rebuilt.items.ids)


def test_an_index_of_another_kind_is_stale_then(run, catalog, new_images):
    ensure_index(run, embed_split(run, catalog, "train"), IndexRequest("knn"))
    change_gallery(run, IndexRequest(), [str(new_images)])
    assert current_index(run, "knn", "train") is None
    assert current_index(run, "faiss", "train") is not None
    gallery = embed_split(run, run_catalog(run), "train")
    assert ensure_index(run, gallery, IndexRequest("knn")).retriever.n_items_ == len(catalog.split("train")) + 3


def test_images_that_come_into_an_added_folder_later_are_noticed(run, catalog, new_images):
    change_gallery(run, IndexRequest(), [str(new_images)])
    shutil.copy(new_images / "lighthouse" / "0.png", new_images / "lighthouse" / "later.png")
    (result,) = query_run(run, [new_images / "lighthouse" / "later.png"], k=2)
    assert {hit.id for hit in result.hits} == {"lighthouse/0.png", "lighthouse/later.png"}


def test_a_removed_item_can_be_added_again(run, catalog, new_images):
    change_gallery(run, IndexRequest(), [str(new_images)])
    change_gallery(run, IndexRequest(), remove=[f"lighthouse/{number}.png" for number in range(3)])
    assert list(run_catalog(run).ids) == list(catalog.ids)
    change_gallery(run, IndexRequest(), [str(new_images)])
    assert len(run_catalog(run)) == len(catalog) + 3


@pytest.mark.parametrize(
    ("add", "remove", "name"),
    [
        ([], ["nope"], "nope"),
        (["nowhere"], [], "nowhere"),
        (["twice"], [], "exists already"),
        (["broken"], [], "a.jpg"),
    ],
)
def test_a_change_that_cannot_be_changes_nothing(run, catalog, new_images, tmp_path, add, remove, name):
    sources = {"twice": catalog.source, "broken": str(tmp_path / "broken")}
    (tmp_path / "broken" / "x").mkdir(parents=True)
    (tmp_path / "broken" / "x" / "a.jpg").write_text("no image")
    ensure_index(run, embed_split(run, catalog, "train"), IndexRequest())
    before = {path: path.read_bytes() for path in run.directory.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=name):
        change_gallery(run, IndexRequest(), [sources.get(name, name) for name in add], remove)
    assert {path: path.read_bytes() for path in run.directory.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"format": 2}', '{"format": 2, "changes": [{"x": 1}]}', '{"format": 2, "changes": [1]}']
)
def test_a_damaged_list_of_changes_is_one_clear_line(run, content):
    run.gallery_path.write_text(content)
    with pytest.raises(CorruptArtifact, match="changes"):
        run_catalog(run)


def test_items_join_a_gallery_that_is_marked_item_by_item(scenes, tmp_path):
    images = Catalog.from_source(scenes)
    with (tmp_path / "marked.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "is_query", "is_gallery"])
        for row in range(len(images)):
            rows.writerow([images.paths[row], images.class_names[images.labels[row]], row % 2, 1])
    marked = Catalog.from_source(tmp_path / "marked.csv")
    other = Catalog.from_source(scenes, split="added")
    both = marked.concat(other)
    assert both.class_names == marked.class_names
    assert both.roles() == ("query", "gallery")
    assert len(both.split("gallery")) == 2 * len(images)
    assert len(both.split("query")) == len(images) // 2


def test_a_source_as_one_split_may_have_one_class(new_images):
    catalog = Catalog.from_source(new_images, split="train")
    assert catalog.split_names == ("train",)
    assert catalog.class_names == ("lighthouse",)
    with pytest.raises(UserError, match="only one class"):
        Catalog.from_source(new_images)


def test_a_run_without_changes_has_none(run, catalog):
    assert list(run_catalog(run).ids) == list(catalog.ids)
    assert not run.gallery_path.exists()


def test_a_source_is_found_from_any_folder(run, catalog, new_images, monkeypatch, tmp_path):
    monkeypatch.chdir(new_images.parent)
    change_gallery(run, IndexRequest(), [new_images.name])
    monkeypatch.chdir(run.directory)
    assert len(run_catalog(run)) == len(catalog) + 3


def test_a_source_that_is_gone_is_named_with_what_can_be_done(run, new_images, tmp_path):
    change_gallery(run, IndexRequest(), [str(new_images)])
    new_images.rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="changes"):
        run_catalog(run)
    manifest = run.manifest()
    write_json(run.directory / "run.json", manifest | {"data": manifest["data"] | {"source": "nowhere"}})
    with pytest.raises(UserError, match="--data"):
        run_catalog(run)


def test_what_was_added_is_not_found_once_it_is_forgotten(run, new_images):
    change_gallery(run, IndexRequest(), [str(new_images)])
    queries = [new_images / "lighthouse" / "1.png"]
    assert query_run(run, queries)[0].hits[0].id == "lighthouse/1.png"
    run.gallery_path.unlink()
    assert "lighthouse" not in {hit.label for hit in query_run(run, queries, k=9)[0].hits}
