"""Embeddings are kept until the model or the images change."""

from __future__ import annotations

import shutil

import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError
from tfretrieval.workflows.embed import embed_split


def written(run) -> int:
    return (run.embeddings("train") / "vectors.npy").stat().st_mtime_ns


def test_a_store_that_is_up_to_date_is_used(run, catalog):
    first = embed_split(run, catalog, "train")
    at = written(run)
    assert embed_split(run, catalog, "train").fingerprint == first.fingerprint
    assert written(run) == at


def test_new_images_make_it_stale(run, scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    embed_split(run, Catalog.from_source(data), "train")
    image = sorted((data / "train").rglob("*.png"))[0]
    shutil.copy(image, image.with_name("more.png"))
    assert len(embed_split(run, Catalog.from_source(data), "train")) == 19


def test_a_damaged_store_is_refused_or_rebuilt(run, catalog):
    embed_split(run, catalog, "train")
    (run.embeddings("train") / "items.parquet").write_bytes(b"half")
    with pytest.raises(UserError, match="is damaged"):
        embed_split(run, catalog, "train")
    assert len(embed_split(run, catalog, "train", rebuild_damaged=True)) == 18
