"""Decoded images in a file that later runs read."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple

import numpy as np
import pytest

from tfretrieval.data import image_cache, images
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.data.pipelines import pair_steps
from tfretrieval.errors import UserError


@pytest.fixture
def folder(scenes, tmp_path, monkeypatch):
    monkeypatch.setenv("TFRET_CACHE", str(tmp_path / "cache"))
    return shutil.copytree(scenes, tmp_path / "scenes")


def everything(table: ImageTable) -> np.ndarray:
    return table.gather(np.arange(len(table))).numpy()


def test_a_later_table_reads_what_an_earlier_one_decoded(folder, monkeypatch):
    catalog = Catalog.from_source(folder)
    expected = everything(ImageTable(catalog, 12, cache="ram"))
    np.testing.assert_array_equal(everything(ImageTable(catalog, 12, cache="disk")), expected)
    monkeypatch.setattr(images, "decode_and_resize", None)
    np.testing.assert_array_equal(everything(ImageTable(catalog, 12, cache="disk")), expected)


def test_the_pipelines_see_the_same_images(folder):
    catalog = Catalog.from_source(folder).split("train")
    batches = [next(iter(pair_steps(ImageTable(catalog, 12, cache=c), 4, 0, 5, "flip"))) for c in ("ram", "disk")]
    for one, other in zip(batches[0][0], batches[1][0]):
        np.testing.assert_array_equal(one, other)
        assert other.shape == (4, 12, 12, 3)


def test_changed_files_sizes_and_fits_are_decoded_anew(folder, tmp_path):
    catalog = Catalog.from_source(folder)
    for size, fit in ((12, "crop"), (12, "pad"), (8, "crop")):
        ImageTable(catalog, size, fit, cache="disk")
    file = sorted(folder.rglob("*.png"))[0]
    os.utime(file, ns=(1, 1))
    ImageTable(catalog, 12, cache="disk")
    assert len(list((tmp_path / "cache" / "images").iterdir())) == 4


def test_broken_files_are_told_of_every_time(folder):
    sorted((folder / "train").rglob("*.png"))[3].write_bytes(b"no image")
    catalog = Catalog.from_source(folder)
    expected = everything(ImageTable(catalog, 12, on_error="skip"))
    for _ in range(2):
        table = ImageTable(catalog, 12, on_error="skip", cache="disk")
        np.testing.assert_array_equal(everything(table), expected)
        assert len(table.broken) == 1
        with pytest.raises(UserError, match="cannot decode"):
            ImageTable(catalog, 12, cache="disk")


def test_a_disk_without_room_is_one_clear_line(folder, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(image_cache.shutil, "disk_usage", lambda path: usage(10, 9, 1))
    with pytest.raises(UserError, match=r"the decoded images take .* GB on disk.*TFRET_CACHE, or --cache none"):
        ImageTable(Catalog.from_source(folder), 12, cache="disk")
    assert not (tmp_path / "cache").exists()


def test_a_disk_that_fills_up_on_the_way_leaves_nothing(folder, tmp_path, monkeypatch):
    def full(self, rows, batch):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(image_cache.ImageWriter, "write", full)
    with pytest.raises(UserError, match="No space left on device"):
        ImageTable(Catalog.from_source(folder), 12, cache="disk")
    assert not list((tmp_path / "cache" / "images").iterdir())


def test_a_damaged_file_is_refused(folder, tmp_path):
    catalog = Catalog.from_source(folder)
    ImageTable(catalog, 12, cache="disk")
    (kept,) = (tmp_path / "cache" / "images").iterdir()
    whole = (kept / "images.npy").read_bytes()
    for content in (whole[:-1], b"junk", whole.replace(b"12, 12", b"24, 06")):
        (kept / "images.npy").write_bytes(content)
        with pytest.raises(UserError, match="is damaged"):
            ImageTable(catalog, 12, cache="disk")
