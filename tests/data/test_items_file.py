"""Catalogs on disk."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.artifacts import ArtifactType, CorruptArtifact
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.items_file import read_items, write_items

ITEMS = Catalog.from_lists(
    ["/ä", "/b", "/c"], [1, -1, 0], ["Größe", "b, c"], ["train", "test", "train"], ["x", "y", "z"]
)

STORE = ArtifactType("store", "store.json", 1, "make it again")


def test_a_catalog_comes_back_and_can_be_used_as_one(tmp_path):
    write_items(tmp_path / "items.parquet", ITEMS)
    loaded = read_items(tmp_path / "items.parquet", ITEMS.class_names, STORE)
    assert len(loaded) == 3
    assert (loaded.class_of(0), loaded.class_of(1)) == ("b, c", "")
    for name in ("ids", "paths", "labels", "splits"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(ITEMS, name))
    part = loaded.subset(np.array([2, 0]))
    assert part.ids.tolist() == ["z", "x"]
    assert loaded.concat(Catalog.from_lists(["/d"])).ids.tolist() == ["x", "y", "z", "/d"]
    assert loaded.split("test").ids.tolist() == ["y"]


def test_a_damaged_file_and_an_unknown_class_are_errors(tmp_path):
    write_items(tmp_path / "items.parquet", ITEMS)
    with pytest.raises(KeyError):
        read_items(tmp_path / "items.parquet", ["other"], STORE)
    loaded = read_items(tmp_path / "items.parquet", ITEMS.class_names, STORE)
    (tmp_path / "items.parquet").write_bytes(b"half")
    with pytest.raises(CorruptArtifact, match=r"items\.parquet") as raised:
        _ = loaded.ids
    assert raised.value.remedy == STORE.remedy
    with pytest.raises(CorruptArtifact):
        read_items(tmp_path / "items.parquet", ITEMS.class_names, STORE)
