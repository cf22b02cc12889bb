"""Tests of Parquet shards on disk and on another file system."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tfretrieval.embedding.ray.parquet_shards import Shards, load_store, shard_name
from tfretrieval.errors import UserError

pytest.importorskip("fsspec", reason="fsspec is not installed: pip install '.[ray]'")

VECTORS = np.arange(20, dtype=np.float32).reshape(10, 2)
PROVENANCE = {"model": "m"}


def write(shards: Shards, rows: range) -> None:
    shards.write_shard(
        shard_name(rows.start),
        {
            "id": [f"i{row}" for row in rows],
            "path": [f"/p/{row}" for row in rows],
            "label": ["Straße" if row % 3 else None for row in rows],
            "split": ["train"] * len(rows),
            "vector": VECTORS[rows.start : rows.stop],
        },
        {f"/broken/{rows.start}": "no image"},
    )


def finish(shards: Shards) -> None:
    names = [shard_name(0), shard_name(4)]
    n, broken = shards.count(names)
    assert (n, broken) == (10, {"/broken/0": "no image", "/broken/4": "no image"})
    shards.finish(names, n)


@pytest.fixture(params=["disk", "memory"])
def where(request, tmp_path, monkeypatch):
    monkeypatch.setenv("TFRET_CACHE", str(tmp_path / "cache"))
    return str(tmp_path / "shards") if request.param == "disk" else f"memory://{tmp_path}/shards"


@pytest.fixture
def shards(where):
    shards = Shards(where)
    assert shards.begin(2, ("Straße",), PROVENANCE) <= {"shards.json"}
    write(shards, range(4))
    write(shards, range(4, 10))
    return shards


def test_parts_load_as_one_store(shards, where):
    finish(shards)
    store = load_store(where)
    np.testing.assert_array_equal(store.vectors, VECTORS)
    assert list(store.items.ids) == [f"i{row}" for row in range(10)]
    assert store.items.labels.tolist() == [-1, 0, 0] * 3 + [-1]
    assert (store.items.paths[3], store.items.splits[3], store.provenance) == ("/p/3", "train", PROVENANCE)
    assert load_store(where).fingerprint == store.fingerprint


def test_part_that_is_written_again_is_replaced(shards, where):
    write(shards, range(4))
    finish(shards)
    assert len(load_store(where)) == 10


def test_shards_of_other_provenance_are_an_error(shards, where):
    with pytest.raises(UserError, match="--shards"):
        Shards(where).begin(2, ("Straße",), {"model": "other"})


def test_unfinished_shards_are_an_error(shards, where):
    with pytest.raises(UserError, match="not finished"):
        load_store(where)


def test_missing_part_is_an_error_that_names_it(shards, where):
    with pytest.raises(UserError, match=r"shard-000000000007\.parquet"):
        shards.count([shard_name(0), shard_name(7)])
    finish(shards)
    shards._files.rm(f"{shards._root}/{shard_name(4)}")
    with pytest.raises(UserError, match=r"shard-000000000004\.parquet"):
        load_store(where)


def test_damaged_part_or_header_is_an_error(shards, where):
    finish(shards)
    shards._write(shard_name(4), b"no parquet")
    with pytest.raises(UserError, match="damaged"):
        load_store(where)
    shards._write("shards.json", b"{")
    with pytest.raises(UserError, match=r"shards\.json"):
        Shards(where).header()


def test_directory_without_embeddings_is_an_error(tmp_path):
    with pytest.raises(UserError, match="embedding store"):
        load_store(str(tmp_path))
    with pytest.raises(UserError, match="nothing"):
        load_store(f"memory://{tmp_path}/nothing")


def test_unsupported_url_is_an_error():
    with pytest.raises(UserError, match="nonsense"):
        Shards("nonsense://x")


def test_unwritable_directory_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="shards"):
        Shards(str(tmp_path / "file" / "shards")).begin(2, (), PROVENANCE)


def test_header_records_the_provenance(shards, tmp_path):
    header = shards.header()
    assert json.loads(json.dumps(header)) == {
        "format": 2, "dim": 2, "class_names": ["Straße"], "provenance": PROVENANCE,
    }  # fmt: skip
