"""Tests of the Keras engine."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.keras_engine import KerasEngine
from tfretrieval.errors import UserError
from tfretrieval.models.embedder import build_embedder


@pytest.fixture(scope="module")
def embedder():
    return build_embedder("convnet", 24, 10)


def test_row_i_is_the_embedding_of_item_i(embedder, scenes):
    catalog = Catalog.from_source(scenes)
    store = KerasEngine(embedder, batch_size=4).embed(catalog, provenance={"model": "m"})
    pixels = np.stack([np.asarray(Image.open(path), np.float32) for path in catalog.paths])
    np.testing.assert_allclose(store.vectors, embedder(pixels), rtol=1e-4, atol=1e-4)
    for name in ("ids", "labels", "paths", "splits"):
        np.testing.assert_array_equal(getattr(store.items, name), getattr(catalog, name))
    assert store.provenance == {"engine": "keras", "precision": "float32", "model": "m"}


def test_embeddings_of_pixels_are_those_of_the_model(embedder):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3), np.uint8)
    np.testing.assert_allclose(
        KerasEngine(embedder).embed_pixels(pixels), embedder(pixels.astype(np.float32)), rtol=1e-5
    )


def test_unreadable_image_is_an_error_or_skipped(embedder, scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    (data / "train" / "sea" / "0.png").write_bytes(b"no image")
    catalog = Catalog.from_source(data)
    engine = KerasEngine(embedder)
    with pytest.raises(UserError, match=r"train/sea/0\.png"):
        engine.embed(catalog)
    store = engine.embed(catalog, on_error="skip")
    assert len(store) == len(catalog) - 1
    assert "train/sea/0.png" not in store.items.ids
    readable = catalog.subset(catalog.ids != "train/sea/0.png")
    np.testing.assert_allclose(store.vectors, engine.embed(readable).vectors, rtol=1e-4, atol=1e-5)
