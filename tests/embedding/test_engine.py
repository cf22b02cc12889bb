"""Tests of the base class of engines; each engine has tests of its own."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.engine import Engine
from tfretrieval.errors import UserError

PATHS = [f"/images/{name}" for name in "abcde"]
CATALOG = Catalog.from_lists(PATHS, [0, 0, 1, 1, 1], ["x", "y"], ids=list("abcde"))


class CountingEngine(Engine):
    """Embeds file i as [i, i], in reverse order; some files are unreadable."""

    name = "counting"
    precision, image_size, dim, resize_mode = "float32", 8, 2, "crop"

    def __init__(self, unreadable: str = "") -> None:
        self.unreadable = unreadable
        self.read: list[str] = []

    def batches(self, paths):
        for index in reversed(range(len(paths))):
            self.read.append(paths[index])
            if paths[index][-1] not in self.unreadable:
                number = "abcde".index(paths[index][-1])
                yield np.array([index]), np.full((1, 2), number, np.float32)

    def broken_reason(self, path):
        return "the file is empty"

    def embed_pixels(self, pixels):
        return np.zeros((len(pixels), 2), np.float32)


@pytest.mark.parametrize("on_disk", [False, True])
def test_embeddings_are_in_the_order_of_the_catalog(tmp_path, on_disk):
    store = CountingEngine().embed(CATALOG, provenance={"model": "m"}, directory=tmp_path / "s" if on_disk else None)
    np.testing.assert_array_equal(store.vectors[:, 0], np.arange(5))
    assert list(store.items.ids) == list(CATALOG.ids)
    assert {"engine": "counting", "precision": "float32", "model": "m"}.items() <= store.provenance.items()


@pytest.mark.parametrize("on_disk", [False, True])
def test_unreadable_images_are_an_error_or_skipped(tmp_path, on_disk):
    engine, directory = CountingEngine(unreadable="bd"), tmp_path / "s" if on_disk else None
    with pytest.raises(UserError, match="/images/b"):
        engine.embed(CATALOG, directory=directory)
    store = engine.embed(CATALOG, on_error="skip", directory=directory)
    assert list(store.items.ids) == ["a", "c", "e"]
    np.testing.assert_array_equal(store.vectors[:, 0], [0, 2, 4])


def test_interrupted_embedding_on_disk_reads_only_the_missing_images(tmp_path):
    class Interrupted(CountingEngine):
        def batches(self, paths):
            for number, batch in enumerate(super().batches(paths)):
                if number == 2:
                    raise KeyboardInterrupt
                yield batch

    with pytest.raises(KeyboardInterrupt):
        Interrupted().embed(CATALOG, directory=tmp_path / "s")
    engine = CountingEngine()
    store = engine.embed(CATALOG, directory=tmp_path / "s")
    assert sorted(engine.read) == ["/images/a", "/images/b", "/images/c"]
    np.testing.assert_array_equal(store.vectors[:, 0], np.arange(5))
