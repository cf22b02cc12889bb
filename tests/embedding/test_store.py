"""`Embeddings` in memory and on disk."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tfretrieval.artifacts import CorruptArtifact, MissingArtifact
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError

COLUMNS = ("ids", "labels", "paths", "splits")


@pytest.fixture
def store():
    return Embeddings.from_arrays(
        np.arange(12).reshape(4, 3),
        labels=[1, 0, -1, 1],
        class_names=["Größe", "b, c"],
        ids=["x/1", "x/2", "y 3", "写真"],
        paths=["/a", "/b", "/c", ""],
        splits=["train", "train", "test", "test"],
        provenance={"model": "abc"},
    )


@pytest.mark.parametrize("mmap", [True, False])
def test_a_saved_store_loads_unchanged(store, tmp_path, mmap):
    store.save(tmp_path / "s")
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [
        "embeddings.json",
        "items.parquet",
        "vectors.npy",
    ]
    loaded = Embeddings.load(tmp_path / "s", mmap)
    assert isinstance(loaded.vectors, np.memmap) == mmap
    np.testing.assert_array_equal(loaded.vectors, store.vectors)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(loaded.items, name), getattr(store.items, name))
    assert (loaded.items.class_names, loaded.provenance) == (store.items.class_names, store.provenance)
    assert loaded.fingerprint == store.fingerprint


def test_missing_columns_have_defaults():
    store = Embeddings.from_arrays(np.ones((2, 3), np.float64))
    assert store.vectors.dtype == np.float32
    assert store.items.ids.tolist() == ["0", "1"]
    assert store.items.labels.tolist() == [-1, -1]
    assert Embeddings.from_arrays(np.eye(3), [0, 2, 0]).items.class_names == ("0", "1", "2")


def test_a_subset_holds_vectors_and_items(store):
    part = store.subset(np.array([3, 1]))
    assert part.items.ids.tolist() == ["写真", "x/2"]
    np.testing.assert_array_equal(part.vectors, store.vectors[[3, 1]])
    assert part.items.labels.tolist() == [1, 0]


def test_the_fingerprint_depends_on_the_content_alone(store):
    def changed(**change):
        parts = {name: getattr(store.items, name) for name in ("ids", "labels", "class_names")}
        return Embeddings.from_arrays(**{"vectors": store.vectors, **parts, **change}).fingerprint

    assert changed() == store.fingerprint
    others = [
        changed(vectors=store.vectors + 1),
        changed(ids=["a", "b", "c", "d"]),
        changed(labels=[0, 0, -1, 1]),
        changed(class_names=["a", "b"]),
    ]
    assert len({store.fingerprint, *others}) == 5


@pytest.mark.parametrize(
    "change",
    [
        {"labels": [0, 1]},
        {"ids": ["a", "a", "b", "c"]},
        {"labels": [0, 1, 2, 0], "class_names": ["a", "b"]},
        {"vectors": np.ones(4)},
    ],
)
def test_inconsistent_arrays_are_refused(change):
    with pytest.raises(UserError):
        Embeddings.from_arrays(**{"vectors": np.eye(4), **change})


def test_vectors_with_nan_are_not_saved(tmp_path):
    vectors = np.eye(3, dtype=np.float32)
    vectors[1, 0] = np.nan
    with pytest.raises(UserError, match="of b"):
        Embeddings.from_arrays(vectors, ids=["a", "b", "c"]).save(tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


def test_missing_and_corrupt_stores_are_reported(store, tmp_path):
    with pytest.raises(MissingArtifact):
        Embeddings.load(tmp_path)
    store.save(tmp_path / "s")
    np.save(tmp_path / "s" / "vectors.npy", np.ones((5, 3), np.float32))
    with pytest.raises(CorruptArtifact):
        Embeddings.load(tmp_path / "s")
    store.save(tmp_path / "s")
    header = json.loads((tmp_path / "s" / "embeddings.json").read_text())
    (tmp_path / "s" / "embeddings.json").write_text(json.dumps(header | {"class_names": ["other"]}))
    with pytest.raises(CorruptArtifact):
        Embeddings.load(tmp_path / "s")


def test_items_are_read_on_first_access(tmp_path):
    made = Embeddings.from_arrays(np.eye(3), [0, -1, 1], ["a", "b"], ["x", "ö", "z"], ["p", "q", "r"], ["train"] * 3)
    made.save(tmp_path / "s")
    loaded = Embeddings.load(tmp_path / "s")
    assert not {"ids", "paths", "splits"} & set(vars(loaded.items))
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(loaded.items, name), getattr(made.items, name))
        assert getattr(loaded.items, name).dtype == getattr(made.items, name).dtype
    changed = replace(loaded, provenance={"model": "m"})
    assert list(changed.items.ids) == ["x", "ö", "z"]
    assert changed.fingerprint == made.fingerprint
    again = Embeddings.load(tmp_path / "s")
    (tmp_path / "s" / "items.parquet").unlink()
    with pytest.raises(CorruptArtifact):
        _ = again.items.ids


def test_a_store_is_read_without_pandas(store, tmp_path):
    store.save(tmp_path / "s")
    code = (
        "import sys; from tfretrieval.embedding.store import Embeddings; e = Embeddings.load(sys.argv[1]); "
        "e.items.ids, e.items.paths, e.items.splits; assert not {'pandas', 'tensorflow', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "s"], check=True)


def test_an_empty_store(tmp_path):
    Embeddings.from_arrays(np.empty((0, 3)), class_names=["a"]).save(tmp_path / "s")
    loaded = Embeddings.load(tmp_path / "s")
    assert len(loaded) == len(loaded.items.ids) == len(loaded.items.splits) == 0
