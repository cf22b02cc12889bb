"""Embeddings are kept until the model or the images change."""

from __future__ import annotations

import shutil

import numpy as np
from PIL import Image

from tfretrieval.data.catalog import Catalog
from tfretrieval.workflows.embed import embed_split


def written(run) -> int:
    return (run.embeddings("train") / "vectors.npy").stat().st_mtime_ns


def test_a_store_that_is_up_to_date_is_reused(run, catalog):
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


def test_a_corrupt_store_is_recomputed_with_a_warning(run, catalog, caplog):
    embed_split(run, catalog, "train")
    (run.embeddings("train") / "items.parquet").write_bytes(b"half")
    assert len(embed_split(run, catalog, "train")) == 18
    assert [record.name for record in caplog.records].count("tfretrieval.artifacts") == 1


def test_an_overwritten_file_of_the_same_size_is_embedded_again(run, scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    for file in data.rglob("*.png"):  # BMP files of one size, whatever they show
        Image.open(file).save(file.with_suffix(".bmp"))
        file.unlink()
    image, other = data / "train" / "sea" / "0.bmp", data / "train" / "town" / "0.bmp"
    before = embed_split(run, Catalog.from_source(data), "train")
    vectors = np.array(before.vectors)
    assert image.stat().st_size == other.stat().st_size
    image.write_bytes(other.read_bytes())
    after = embed_split(run, Catalog.from_source(data), "train")
    row = list(after.items.ids).index("train/sea/0.bmp")
    assert not np.allclose(after.vectors[row], vectors[row])
    np.testing.assert_allclose(after.vectors[row], after.vectors[list(after.items.ids).index("train/town/0.bmp")])


def test_touched_files_of_the_same_content_stay_up_to_date(run, scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    embed_split(run, Catalog.from_source(data), "train")
    at = written(run)
    for file in data.rglob("*.png"):
        file.touch()
    embed_split(run, Catalog.from_source(data), "train")
    assert written(run) == at
