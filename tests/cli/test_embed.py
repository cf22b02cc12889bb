"""`tfret embed`."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from tfretrieval.embedding.store import Embeddings


def test_current_embeddings_are_kept(tfret, run):
    first = tfret("embed", "--run", run, "--json").result["stores"]
    written = (run / "embeddings/train/vectors.npy").stat().st_mtime_ns
    assert tfret("embed", "--run", run, "--json").result["stores"] == first
    assert (run / "embeddings/train/vectors.npy").stat().st_mtime_ns == written


def test_other_data_are_embedded_into_the_output_directory(tfret, run, scenes, tmp_path):
    tfret("embed", "--run", run, "--data", scenes, "--split", "all", "--output", tmp_path / "all")
    assert len(Embeddings.load(tmp_path / "all")) == 27


def test_an_existing_output_is_reused(tfret, run, tmp_path):
    arguments = ("embed", "--run", run, "--split", "train", "--output", tmp_path / "e")
    tfret(*arguments)
    at = (tmp_path / "e" / "vectors.npy").stat().st_mtime_ns
    tfret(*arguments)
    assert (tmp_path / "e" / "vectors.npy").stat().st_mtime_ns == at


def test_an_output_that_is_a_file_is_an_error(tfret, run, tmp_path):
    (tmp_path / "file").write_text("")
    assert (
        str(tmp_path / "file") in tfret("embed", "--run", run, "--split", "test", "--output", tmp_path / "file").failure
    )
    assert (tmp_path / "file").is_file()


def test_an_unknown_split_is_an_error(tfret, run):
    assert "'dev'" in tfret("embed", "--run", run, "--split", "dev").failure
    assert "'dev'" in tfret("evaluate", "--run", run, "--query-split", "dev").failure


@pytest.mark.parametrize("name", ["embeddings.json", "vectors.npy", "items.parquet"])
@pytest.mark.parametrize("harm", [Path.unlink, lambda file: file.write_text("[1, 2]")], ids=["gone", "other"])
def test_an_incomplete_store_is_recomputed(tfret, data, run, name, harm, images):
    assert tfret("index", "--run", run).code == 0
    harm(run / "embeddings/train" / name)
    assert tfret("query", images(data)[0], "--run", run).code == 0, "an index needs no embedding store"
    done = tfret("evaluate", "-k", 1, "--run", run)
    assert done.code == 0
    assert "pickle" not in done.err
    assert len(Embeddings.load(run / "embeddings/train")) == 18


def test_a_damaged_store_is_recomputed_with_a_warning(tfret, run, truncate):
    assert tfret("embed", "--run", run).code == 0
    truncate(run / "embeddings/train/vectors.npy")
    assert "corrupt" in tfret("embed", "--run", run).err
    assert len(Embeddings.load(run / "embeddings/train")) == 18


def test_another_kind_of_model_is_an_error(tfret, run):
    import keras

    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    other.save(run / "model.keras")
    assert "model.keras" in tfret("embed", "--run", run).failure


@pytest.mark.parametrize("split", ["train", "all"])
def test_a_folder_of_photos_is_not_replaced(tfret, run, data, split, tree_of):
    before = tree_of(data)
    arguments = ("embed", "--run", run, "--data", data, "--split", split, "--output", data)
    assert str(data) in tfret(*arguments).failure
    assert tree_of(data) == before


def test_a_full_disk_keeps_existing_embeddings(tfret, run, monkeypatch, tree_of):
    assert tfret("embed", "--run", run).code == 0
    before = tree_of(run / "embeddings")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (run / "model.keras").write_bytes((run / "model.keras").read_bytes())
    monkeypatch.setattr(os, "posix_fallocate", full)
    shutil.rmtree(run / "embeddings" / "test")
    assert "space" in tfret("embed", "--run", run, "--split", "test").failure
    assert {k: v for k, v in before.items() if k.startswith("train")} == tree_of(run / "embeddings")


def test_an_address_requires_ray(tfret, run):
    assert "--address" in tfret("embed", "--run", run, "--address", "auto").failure


def test_remote_images_require_ray(tfret, run, tmp_path):
    (tmp_path / "remote.csv").write_text("path,label\nhttp://localhost:9/a.jpg,a\nhttp://localhost:9/b.jpg,b\n")
    error = tfret("embed", "--run", run, "--data", tmp_path / "remote.csv", "--split", "train").failure
    assert "--engine ray" in error
