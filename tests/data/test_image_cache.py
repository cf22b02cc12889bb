"""Tests of the cache of decoded images on disk."""

from __future__ import annotations

import errno
import os
import shutil

import numpy as np
import pytest

from tfretrieval.data import images
from tfretrieval.data.batches import PairBatches
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.errors import UserError


@pytest.fixture
def folder(scenes, tmp_path, monkeypatch):
    monkeypatch.setenv("TFRET_CACHE", str(tmp_path / "cache"))
    return shutil.copytree(scenes, tmp_path / "scenes")


def all_images(table: ImageTable) -> np.ndarray:
    return table.gather(np.arange(len(table))).numpy()


def test_later_table_reads_the_cached_images(folder, monkeypatch):
    catalog = Catalog.from_source(folder)
    expected = all_images(ImageTable(catalog, 12, cache="ram"))
    np.testing.assert_array_equal(all_images(ImageTable(catalog, 12, cache="disk")), expected)
    monkeypatch.setattr(images, "read_image", None)
    np.testing.assert_array_equal(all_images(ImageTable(catalog, 12, cache="disk")), expected)


def test_pipelines_read_the_same_images_from_memory_and_from_disk(folder):
    catalog = Catalog.from_source(folder).split("train")
    stream = PairBatches(batch_size=4, augmentation="flip").stream
    batches = [next(iter(stream(ImageTable(catalog, 12, cache=cache), 5))) for cache in ("ram", "disk")]
    for expected, actual in zip(batches[0][0], batches[1][0]):
        np.testing.assert_array_equal(expected, actual)
        assert actual.shape == (4, 12, 12, 3)


def test_another_file_size_or_resize_mode_has_its_own_cache(folder, tmp_path):
    catalog = Catalog.from_source(folder)
    for size, resize_mode in ((12, "crop"), (12, "pad"), (8, "crop")):
        ImageTable(catalog, size, resize_mode, cache="disk")
    file = sorted(folder.rglob("*.png"))[0]
    file.write_bytes(sorted(folder.rglob("*.png"))[1].read_bytes())
    ImageTable(catalog, 12, cache="disk")
    assert len(list((tmp_path / "cache" / "images").iterdir())) == 4


def test_unreadable_files_are_reported_by_every_table(folder):
    sorted((folder / "train").rglob("*.png"))[3].write_bytes(b"no image")
    catalog = Catalog.from_source(folder)
    expected = all_images(ImageTable(catalog, 12, on_error="skip"))
    for _ in range(2):
        table = ImageTable(catalog, 12, on_error="skip", cache="disk")
        np.testing.assert_array_equal(all_images(table), expected)
        assert len(table.broken) == 1
        with pytest.raises(UserError, match="cannot decode"):
            ImageTable(catalog, 12, cache="disk")


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="disk space cannot be allocated here")
def test_too_little_disk_space_is_an_error_before_decoding(folder, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    monkeypatch.setattr(images, "read_image", None)
    with pytest.raises(UserError, match="TFRET_CACHE"):
        ImageTable(Catalog.from_source(folder), 12, cache="disk")
    assert not list((tmp_path / "cache" / "images").iterdir())


def test_damaged_cache_is_an_error(folder, tmp_path):
    catalog = Catalog.from_source(folder)
    ImageTable(catalog, 12, cache="disk")
    (cached,) = (tmp_path / "cache" / "images").iterdir()
    complete = (cached / "images.npy").read_bytes()
    for content in (complete[:-1], b"junk", complete.replace(b"12, 12", b"24, 06")):
        (cached / "images.npy").write_bytes(content)
        with pytest.raises(UserError, match=cached.name):
            ImageTable(catalog, 12, cache="disk")
