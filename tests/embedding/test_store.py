"""Vectors with what they stand for, in memory and on disk."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError


@pytest.fixture
def store():
    return Embeddings.from_arrays(
        np.arange(12).reshape(4, 3),
        labels=[1, 0, -1, 1],
        class_names=["Größe", "b, c"],
        ids=["x/1", "x/2", "y 3", "写真"],
        paths=["/a", "/b", "/c", ""],
        splits=["train", "train", "test", "test"],
        made_from={"model": "abc"},
    )


@pytest.mark.parametrize("mmap", [True, False])
def test_everything_comes_back_from_disk(store, tmp_path, mmap):
    store.save(tmp_path / "s")
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [
        "embeddings.json",
        "items.parquet",
        "vectors.npy",
    ]
    loaded = Embeddings.load(tmp_path / "s", mmap)
    assert isinstance(loaded.vectors, np.memmap) == mmap
    for name in ("vectors", "ids", "labels", "paths", "splits"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(store, name))
    assert (loaded.class_names, loaded.made_from) == (store.class_names, store.made_from)
    assert loaded.fingerprint == store.fingerprint


def test_what_is_left_out_is_filled_in():
    store = Embeddings.from_arrays(np.ones((2, 3), np.float64))
    assert store.vectors.dtype == np.float32
    assert store.ids.tolist() == ["0", "1"]
    assert store.labels.tolist() == [-1, -1]
    assert Embeddings.from_arrays(np.eye(3), [0, 2, 0]).class_names == ("0", "1", "2")


def test_a_subset_takes_whole_items(store):
    part = store.subset(np.array([3, 1]))
    assert part.ids.tolist() == ["写真", "x/2"]
    np.testing.assert_array_equal(part.vectors, store.vectors[[3, 1]])
    assert part.labels.tolist() == [1, 0]


def test_the_fingerprint_tells_of_content_alone(store):
    def changed(**change):
        parts = {name: getattr(store, name) for name in ("vectors", "ids", "labels", "class_names")} | change
        return Embeddings.from_arrays(**parts).fingerprint

    assert changed() == store.fingerprint
    others = [
        changed(vectors=store.vectors + 1),
        changed(ids=["a", "b", "c", "d"]),
        changed(labels=[0, 0, -1, 1]),
        changed(class_names=["a", "b"]),
    ]
    assert len({store.fingerprint, *others}) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [0, 1]}, "4 vectors but 2 labels"),
        ({"ids": ["a", "a", "b", "c"]}, "an id that stands for two items"),
        ({"labels": [0, 1, 2, 0], "class_names": ["a", "b"]}, r"a label outside -1\.\.1"),
        ({"vectors": np.ones(4)}, r"need float32 vectors \[n, d\]"),
    ],
)
def test_parts_that_do_not_go_together(change, message):
    with pytest.raises(UserError, match=message):
        Embeddings.from_arrays(**{"vectors": np.eye(4), **change})


def test_vectors_that_are_no_numbers_are_not_saved_and_named(tmp_path):
    vectors = np.eye(3, dtype=np.float32)
    vectors[1, 0] = np.nan
    with pytest.raises(UserError, match="1 vectors hold NaN or infinity, the first that of b"):
        Embeddings.from_arrays(vectors, ids=["a", "b", "c"]).save(tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_none_or_damaged(store, tmp_path):
    with pytest.raises(UserError, match="is not an embedding store"):
        Embeddings.load(tmp_path)
    store.save(tmp_path / "s")
    np.save(tmp_path / "s" / "vectors.npy", np.ones((5, 3), np.float32))
    with pytest.raises(UserError, match=r"damaged .the files disagree on the number of items"):
        Embeddings.load(tmp_path / "s")
    store.save(tmp_path / "s")
    header = json.loads((tmp_path / "s" / "embeddings.json").read_text())
    (tmp_path / "s" / "embeddings.json").write_text(json.dumps(header | {"class_names": ["other"]}))
    with pytest.raises(UserError, match="is damaged"):
        Embeddings.load(tmp_path / "s")


def test_a_loaded_store_reads_its_items_when_they_are_asked_for(tmp_path):
    made = Embeddings.from_arrays(np.eye(3), [0, -1, 1], ["a", "b"], ["x", "ö", "z"], ["p", "q", "r"], ["train"] * 3)
    made.save(tmp_path / "s")
    loaded = Embeddings.load(tmp_path / "s")
    assert not {"ids", "paths", "splits"} & set(vars(loaded))
    for name in ("ids", "paths", "splits", "labels"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(made, name))
        assert getattr(loaded, name).dtype == getattr(made, name).dtype
    changed = replace(loaded, made_from={"model": "m"})
    assert list(changed.ids) == ["x", "ö", "z"]
    assert changed.fingerprint == made.fingerprint
    again = Embeddings.load(tmp_path / "s")
    (tmp_path / "s" / "items.parquet").unlink()
    with pytest.raises(UserError, match="is damaged"):
        _ = again.ids


def test_a_store_is_read_without_pandas(store, tmp_path):
    store.save(tmp_path / "s")
    code = (
        "import sys; from tfretrieval.embedding.store import Embeddings; e = Embeddings.load(sys.argv[1]); "
        "e.ids, e.paths, e.splits, e.labels; assert not {'pandas', 'tensorflow', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "s"], check=True)


def test_an_empty_store(tmp_path):
    Embeddings.from_arrays(np.empty((0, 3)), class_names=["a"]).save(tmp_path / "s")
    loaded = Embeddings.load(tmp_path / "s")
    assert len(loaded) == len(loaded.ids) == len(loaded.splits) == 0
