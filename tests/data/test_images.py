"""Tests of the image table."""

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
from tfretrieval.data.images import ImageTable, decoded_batches, fits_in_memory, row_gather
from tfretrieval.data.read_image import broken_reason
from tfretrieval.errors import UserError


@pytest.fixture
def folder(scenes, tmp_path):
    return shutil.copytree(scenes, tmp_path / "scenes")


@pytest.mark.parametrize("cache", ["ram", "none"])
def test_row_i_is_the_image_of_item_i(scenes, cache):
    catalog = Catalog.from_source(scenes)
    table = ImageTable(catalog, 24, cache=cache)
    rows = tf.constant([20, 0, 5, 5])
    expected = [np.asarray(Image.open(path)) for path in catalog.paths[rows.numpy()]]
    np.testing.assert_array_equal(table.gather(rows), expected)


def test_images_in_memory_are_decoded_once(scenes, monkeypatch):
    table = ImageTable(Catalog.from_source(scenes), 24)
    monkeypatch.setattr(images, "read_image", None)
    for _ in range(3):
        table.gather(tf.range(len(table)))


def test_images_that_do_not_fit_in_memory_are_decoded_on_demand(scenes, monkeypatch):
    monkeypatch.setattr(images, "MEMORY_FRACTION", 0.0)
    assert not fits_in_memory(1)
    assert ImageTable(Catalog.from_source(scenes), 8)._gather_cached is None


def test_unreadable_files_are_an_error_or_skipped(folder, caplog):
    files = sorted((folder / "train").rglob("*.png"))
    files[3].write_bytes(b"")
    files[8].write_bytes(b"no image")
    catalog = Catalog.from_source(folder)
    with pytest.raises(UserError, match="--on-error skip"):
        ImageTable(catalog, 8)
    with caplog.at_level(logging.WARNING, logger="tfretrieval"):
        table = ImageTable(catalog, 8, on_error="skip")
    assert len(table) == len(catalog) - 2 == len(table.gather(tf.range(len(table))))
    assert set(table.broken) == {str(files[3]), str(files[8])}
    assert all(str(path) in caplog.text for path in table.broken)
    readable = np.array([path not in table.broken for path in catalog.paths])
    expected = ImageTable(catalog.subset(readable), 8)
    rows = tf.range(len(table))
    np.testing.assert_array_equal(table.gather(rows), expected.gather(rows))


def test_batches_hold_the_decodable_files_in_order(folder):
    files = [str(path) for path in sorted((folder / "train").rglob("*.png"))]
    for row in (1, 4, 5, 6, 7):
        open(files[row], "w").close()
    batches = list(decoded_batches(files, 24, "crop", batch_size=4))
    assert [rows.tolist() for rows, _ in batches] == [[0, 2, 3], [8, 9, 10, 11], [12, 13, 14, 15], [16, 17]]
    np.testing.assert_array_equal(batches[0][1][1], np.asarray(Image.open(files[2])))


def test_a_catalog_without_readable_files_is_an_error(folder):
    for file in folder.rglob("*.png"):
        file.write_bytes(b"x")
    with pytest.raises(UserError, match="cannot decode"):
        ImageTable(Catalog.from_source(folder), 8, on_error="skip")


def test_reasons_of_unreadable_files(tmp_path):
    assert broken_reason(str(tmp_path / "missing.jpg"), 8, "crop") == "No such file or directory"
    Image.new("RGB", (30, 30)).save(tmp_path / "half.jpg")
    (tmp_path / "half.jpg").write_bytes((tmp_path / "half.jpg").read_bytes()[:-100])
    reason = broken_reason(str(tmp_path / "half.jpg"), 8, "crop")
    assert "truncated" in reason
    assert "\n" not in reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_read_permission_is_unreadable(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    assert "Permission denied" in broken_reason(str(tmp_path / "a.png"), 8, "crop")


def test_rows_of_memory_mapped_and_other_arrays_are_gathered_in_tf_data(tmp_path):
    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.save(tmp_path / "a.npy", array)
    for source in (array, np.load(tmp_path / "a.npy", mmap_mode="r")):
        dataset = tf.data.Dataset.from_tensors(tf.constant([2, 0, 2])).map(row_gather(source))
        np.testing.assert_array_equal(next(iter(dataset)), array[[2, 0, 2]])
