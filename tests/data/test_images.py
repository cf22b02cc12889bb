"""The decoded images of a catalog."""

from __future__ import annotations

import logging
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfretrieval.data import images
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable, decode_files, fits_in_memory
from tfretrieval.errors import UserError


@pytest.fixture
def folder(scenes, tmp_path):
    return shutil.copytree(scenes, tmp_path / "scenes")


@pytest.mark.parametrize("cache", ["ram", "none"])
def test_row_i_is_item_i(scenes, cache):
    catalog = Catalog.from_source(scenes)
    table = ImageTable(catalog, 24, cache=cache)
    rows = tf.constant([20, 0, 5, 5])
    expected = [np.asarray(Image.open(path)) for path in catalog.paths[rows.numpy()]]
    np.testing.assert_array_equal(table.gather(rows), expected)


def test_each_file_is_decoded_once_where_memory_allows(scenes, monkeypatch):
    table = ImageTable(Catalog.from_source(scenes), 24)
    monkeypatch.setattr(images, "decode_and_resize", None)
    for _ in range(3):
        table.gather(tf.range(len(table)))


def test_little_memory_means_that_images_are_not_kept(scenes, monkeypatch):
    monkeypatch.setattr(images, "MEMORY_SHARE", 0.0)
    assert not fits_in_memory(1)
    assert ImageTable(Catalog.from_source(scenes), 8)._kept is None


def test_broken_files_are_named_or_skipped(folder, caplog):
    files = sorted((folder / "train").rglob("*.png"))
    files[3].write_bytes(b"")
    files[8].write_bytes(b"no image")
    catalog = Catalog.from_source(folder)
    with pytest.raises(UserError, match=r"the file is empty\); .*it is no JPEG, PNG, BMP.*--on-error skip"):
        ImageTable(catalog, 8)
    with caplog.at_level(logging.WARNING, logger="tfretrieval"):
        table = ImageTable(catalog, 8, on_error="skip")
    assert len(table) == len(catalog) - 2 == len(table.gather(tf.range(len(table))))
    assert set(table.broken) == {str(files[3]), str(files[8])}
    assert all(str(path) in caplog.text for path in table.broken)
    kept = ImageTable(catalog.subset(np.array([str(files[3]) != p and str(files[8]) != p for p in catalog.paths])), 8)
    np.testing.assert_array_equal(table.gather(tf.range(len(table))), kept.gather(tf.range(len(kept))))


def test_many_broken_files_are_counted(folder):
    for file in sorted((folder / "train").rglob("*.png"))[:6]:
        file.write_bytes(b"x")
    with pytest.raises(UserError, match="and 3 more"):
        ImageTable(Catalog.from_source(folder), 8)


def test_nothing_whole_cannot_be_skipped(folder):
    for file in folder.rglob("*.png"):
        file.write_bytes(b"x")
    with pytest.raises(UserError, match="cannot decode"):
        ImageTable(Catalog.from_source(folder), 8, on_error="skip")


def test_reasons_are_in_plain_words(tmp_path):
    assert decode_files([str(tmp_path / "gone.jpg")], 8)[1] == {0: "the file does not exist"}
    Image.new("RGB", (30, 30)).save(tmp_path / "half.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "half.jpg").read_bytes()[:-100])
    (reason,) = decode_files([str(tmp_path / "half.jpg")], 8)[1].values()
    assert reason == "the file ends before its image does"
    assert "\n" not in reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    assert decode_files([str(tmp_path / "a.png")], 8)[1] == {0: "no permission to read it"}
