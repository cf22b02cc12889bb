"""Parquet shards, wherever fsspec writes them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tfretrieval.embedding.ray.parquet_shards import Shards, load_store, part_name
from tfretrieval.errors import UserError

pytest.importorskip("fsspec", reason="fsspec is not installed: pip install '.[ray]'")

VECTORS = np.arange(20, dtype=np.float32).reshape(10, 2)
MADE_FROM = {"model": "m"}


def write(shards: Shards, rows: range) -> None:
    shards.write_part(
        part_name(rows.start),
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
    parts = [part_name(0), part_name(4)]
    n, broken = shards.count(parts)
    assert (n, broken) == (10, {"/broken/0": "no image", "/broken/4": "no image"})
    shards.finish(parts, n)


@pytest.fixture(params=["disk", "memory"])
def where(request, tmp_path, monkeypatch):
    monkeypatch.setenv("TFRET_CACHE", str(tmp_path / "cache"))
    return str(tmp_path / "shards") if request.param == "disk" else f"memory://{tmp_path}/shards"


@pytest.fixture
def shards(where):
    shards = Shards(where)
    assert shards.begin(2, ("Straße",), MADE_FROM) <= {"shards.json"}
    write(shards, range(4))
    write(shards, range(4, 10))
    return shards


def test_what_is_written_is_read_as_one_store(shards, where):
    finish(shards)
    store = load_store(where)
    np.testing.assert_array_equal(store.vectors, VECTORS)
    assert list(store.ids) == [f"i{row}" for row in range(10)]
    assert store.labels.tolist() == [-1, 0, 0] * 3 + [-1]
    assert (store.paths[3], store.splits[3], store.made_from) == ("/p/3", "train", MADE_FROM)
    assert load_store(where).fingerprint == store.fingerprint


def test_a_part_that_is_written_again_is_the_same_part(shards, where):
    write(shards, range(4))
    finish(shards)
    assert len(load_store(where)) == 10


def test_shards_of_something_else_are_refused(shards, where):
    with pytest.raises(UserError, match="vectors of another model or other images"):
        Shards(where).begin(2, ("Straße",), {"model": "other"})


def test_what_is_not_finished_is_refused(shards, where):
    with pytest.raises(UserError, match="is not finished"):
        load_store(where)


def test_a_part_that_is_gone_is_one_clear_line(shards, where):
    with pytest.raises(UserError, match=r"delete part-000000000007\.parquet and embed again"):
        shards.count([part_name(0), part_name(7)])
    finish(shards)
    load_store(where)
    shards._files.rm(f"{shards._root}/{part_name(4)}")
    with pytest.raises(UserError, match=r"part-000000000004\.parquet is gone"):
        load_store(where)


def test_a_damaged_part_or_header_is_one_clear_line(shards, where):
    finish(shards)
    shards._write(part_name(4), b"no parquet")
    with pytest.raises(UserError, match="is damaged"):
        load_store(where)
    shards._write("shards.json", b"{")
    with pytest.raises(UserError, match=r"shards\.json cannot be read"):
        Shards(where).header()


def test_a_folder_of_something_else(tmp_path):
    with pytest.raises(UserError, match="is not an embedding store"):
        load_store(str(tmp_path))
    with pytest.raises(UserError, match="holds neither"):
        load_store(f"memory://{tmp_path}/nothing")


def test_an_address_that_nobody_knows():
    with pytest.raises(UserError, match="Protocol not known"):
        Shards("nonsense://x")


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be used"):
        Shards(str(tmp_path / "file" / "shards")).begin(2, (), MADE_FROM)


def test_the_header_says_what_made_them(shards, tmp_path):
    header = shards.header()
    assert json.loads(json.dumps(header)) == {
        "format": 1, "dim": 2, "class_names": ["Straße"], "made_from": MADE_FROM,
    }  # fmt: skip
