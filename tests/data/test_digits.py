"""Tests of the digits data set."""

from __future__ import annotations

import shutil

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from tfretrieval.data import digits
from tfretrieval.data.catalog import Catalog


def test_all_digits_are_written_and_split_in_order():
    catalog = Catalog.from_source("digits")
    source = load_digits()
    rows = np.array([int(path.rsplit("/", 1)[-1].removesuffix(".png")) for path in catalog.ids])
    assert sorted(rows) == list(range(1797))
    np.testing.assert_array_equal(catalog.labels, source.target[rows])
    for digit in range(10):
        of_digit = catalog.labels == digit
        train, test = (rows[of_digit & (catalog.splits == split)] for split in ("train", "test"))
        assert train.max() < test.min()
        assert len(test) == round(0.3 * of_digit.sum())


def test_images_show_the_digits():
    catalog = Catalog.from_source("digits")
    small = np.asarray(Image.open(catalog.paths[0]).resize((8, 8), Image.Resampling.BOX), float)
    row = int(catalog.ids[0].rsplit("/", 1)[-1].removesuffix(".png"))
    assert np.corrcoef(small.ravel(), load_digits().images[row].ravel())[0, 1] > 0.95


def test_folder_is_written_once_and_again_if_deleted(tmp_path, monkeypatch):
    monkeypatch.setenv("TFRET_CACHE", str(tmp_path))
    folder = digits.folder()
    first = next(folder.rglob("*.png")).stat().st_mtime_ns
    assert next(digits.folder().rglob("*.png")).stat().st_mtime_ns == first
    shutil.rmtree(folder)
    assert len(list(digits.folder().rglob("*.png"))) == 1797
