"""`Index`: search, filters, self-exclusion, and saving."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from tfretrieval.artifacts import MissingArtifact
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import FaissSettings, KNNSettings, settings_for

SETTINGS = [
    KNNSettings("cosine", pca=3),
    KNNSettings("euclidean", standardize=True),
    FaissSettings("cosine", pca=0.9),
    FaissSettings("euclidean", whiten=True, factory="IVF4,Flat", nprobe=2),
]


@pytest.fixture(scope="module")
def gallery():
    vectors = np.random.default_rng(0).normal(size=(200, 6))
    splits = ["train", "test"] * 100
    return Embeddings.from_arrays(vectors, np.arange(200) % 3, splits=splits, provenance={"model": "m"})


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_a_loaded_index_gives_the_same_neighbors_in_another_process(gallery, tmp_path, settings):
    index = Index.build(gallery, settings)
    index.save(tmp_path / "index")
    queries = np.random.default_rng(1).normal(size=(9, 6)).astype(np.float32)
    np.save(tmp_path / "queries.npy", queries)
    code = (
        "import sys, numpy as np\n"
        "from tfretrieval.retrieval.index import Index\n"
        "found = Index.load(sys.argv[1]).search(np.load(sys.argv[2]), 5)\n"
        "np.savez(sys.argv[3], distances=found.distances, rows=found.rows)\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "index", tmp_path / "queries.npy", tmp_path / "out.npz"], check=True
    )
    answer, expected = np.load(tmp_path / "out.npz"), index.search(queries, 5)
    np.testing.assert_array_equal(answer["rows"], expected.rows)
    np.testing.assert_array_equal(answer["distances"], expected.distances)
    loaded = Index.load(tmp_path / "index")
    assert (loaded.settings, loaded.gallery_fingerprint) == (settings, gallery.fingerprint)
    assert dict(loaded.provenance) == {"model": "m"}


def test_cosine_after_pca_compares_directions(gallery):
    index = Index.build(gallery, KNNSettings("cosine", pca=3))
    one = index.search(gallery.vectors[:5], 10)
    other = index.search(gallery.vectors[:5] * 7, 10)
    np.testing.assert_array_equal(one.rows, other.rows)


def test_missing_and_corrupt_indexes_are_reported(gallery, tmp_path):
    with pytest.raises(MissingArtifact):
        Index.load(tmp_path)
    Index.build(gallery).save(tmp_path / "i")
    header = json.loads((tmp_path / "i" / "index.json").read_text())
    (tmp_path / "i" / "index.json").write_text(json.dumps({**header, "format": 99}))
    with pytest.raises(UserError, match="format 99"):
        Index.load(tmp_path / "i")
    (tmp_path / "i" / "index.json").write_text("{}")
    with pytest.raises(UserError, match="corrupt"):
        Index.load(tmp_path / "i")


@pytest.mark.parametrize("kind", ["knn", "faiss"])
def test_a_filter_restricts_the_gallery(gallery, kind):
    index = Index.build(gallery, settings_for(kind))
    where = {"classes": ["1", "2"], "splits": ["test"]}
    found = index.search(gallery.vectors[:20], 7, where)
    allowed = np.flatnonzero(np.isin(gallery.items.labels, [1, 2]) & (gallery.items.splits == "test"))
    part = Index.build(gallery.subset(allowed), settings_for(kind)).search(gallery.vectors[:20], 7)
    np.testing.assert_array_equal(found.rows, allowed[part.rows])
    np.testing.assert_array_equal(found.distances, part.distances)
    for wrong in ({"classes": ["9"]}, {"splits": ["nowhere"]}):
        with pytest.raises(UserError):
            index.search(gallery.vectors[:1], 1, wrong)
    with pytest.raises(UserError, match="67"):
        index.search(gallery.vectors[:1], 68, {"classes": ["1"]})


def test_an_approximate_index_does_not_filter(gallery):
    index = Index.build(gallery, FaissSettings(factory="HNSW8"))
    with pytest.raises(UserError, match="filter"):
        index.search(gallery.vectors[:1], 1, {"classes": ["1"]})


def test_a_query_can_be_excluded_from_its_own_neighbors(gallery):
    index = Index.build(gallery)
    found = index.search(gallery, 5, exclude_self=True)
    assert found.rows.shape == (200, 5)
    assert not (found.rows == np.arange(200)[:, None]).any()
    np.testing.assert_array_equal(found.rows, index.search(gallery, 6).rows[:, 1:])
    with pytest.raises(UserError, match="exclude_self"):
        index.search(gallery.vectors, 5, exclude_self=True)


def test_an_index_directory_alone_gives_ids_labels_and_paths(gallery, tmp_path):
    store = Embeddings.from_arrays(
        gallery.vectors, gallery.items.labels, ["a", "b", "c"], paths=[f"/images/{i}.jpg" for i in range(200)]
    )
    Index.build(store).save(tmp_path / "index")
    np.save(tmp_path / "queries.npy", store.vectors[:3])
    code = (
        "import sys, json, numpy as np\n"
        "from tfretrieval.retrieval.index import Index\n"
        "index = Index.load(sys.argv[1])\n"
        "rows = index.search(np.load(sys.argv[2]), 1).rows[:, 0]\n"
        "print(json.dumps([[index.items.ids[r], index.items.class_of(r), index.items.paths[r]] for r in rows]))\n"
    )
    command = [sys.executable, "-c", code, tmp_path / "index", tmp_path / "queries.npy"]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert answer == [[str(i), "abc"[i], f"/images/{i}.jpg"] for i in range(3)]
