"""Tests of the Ray engine on a local Ray."""

from __future__ import annotations

import csv
import logging
import os
import shutil
import signal
from dataclasses import replace

import keras
import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.keras_engine import KerasEngine
from tfretrieval.errors import UserError
from tfretrieval.models.embedder import build_embedder

pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")
pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install '.[openvino]'")

from tfretrieval.embedding.openvino.convert import save_openvino_model
from tfretrieval.embedding.openvino.engine import OpenVINOEngine
from tfretrieval.embedding.ray import engine as module
from tfretrieval.embedding.ray.cluster import load_ray
from tfretrieval.embedding.ray.engine import RayEngine
from tfretrieval.embedding.ray.parquet_shards import Shards, load_store

# warnings of Ray itself
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def _ray():
    """A small Ray for all tests."""
    ray = load_ray()
    ray.init(
        num_cpus=2, object_store_memory=100 << 20, include_dashboard=False, log_to_driver=False,
        logging_level=logging.ERROR,
    )  # fmt: skip
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A directory with a Keras model, converted in its subdirectory `openvino`."""
    keras.utils.set_random_seed(0)
    embedder = build_embedder("convnet", 24, 10, normalize=True)
    folder = tmp_path_factory.mktemp("home")
    embedder.save(folder / "model.keras")
    save_openvino_model(embedder, folder / "openvino", "crop", {"model": "m"})
    return folder


@pytest.fixture
def many(scenes, monkeypatch):
    """The scenes twenty times with other ids, in small blocks."""
    monkeypatch.setattr(module, "FILES_PER_BLOCK", 32)
    catalog = Catalog.from_source(scenes)
    rows = np.tile(np.arange(len(catalog)), 20)
    return replace(catalog.subset(rows), ids=np.array([f"{i}" for i in range(len(rows))], object))


def engines(home):
    from tfretrieval.models.embedder import load_embedder

    return [
        (KerasEngine(load_embedder(home / "model.keras")), home),
        (OpenVINOEngine(home / "openvino"), home / "openvino"),
    ]


@pytest.mark.parametrize("index", [pytest.param(0, id="keras", marks=pytest.mark.slow), pytest.param(1, id="openvino")])
def test_embeddings_agree_with_one_process(home, many, index, tmp_path):
    engine, folder = engines(home)[index]
    store = RayEngine(engine, folder).embed(many, provenance={"model": "m"}, directory=tmp_path / "store")
    expected = engine.embed(many)
    np.testing.assert_allclose(store.vectors, expected.vectors, atol=1e-6)
    assert list(store.items.ids) == list(many.ids)
    assert {"engine": engine.name, "precision": "float32", "model": "m"}.items() <= store.provenance.items()


def test_killed_actors_do_not_change_the_embeddings(home, many, monkeypatch):
    import psutil

    engine = OpenVINOEngine(home / "openvino")
    batches, killed = RayEngine.batches, []

    def killing(self, paths):
        for batch in batches(self, paths):
            workers = [p for p in psutil.process_iter(["cmdline"]) if "MapWorker" in " ".join(p.info["cmdline"] or [])]
            if len(killed) < 2 and workers:  # a killed worker may not have restarted yet
                for worker in workers:
                    os.kill(worker.pid, signal.SIGKILL)
                killed.append(len(workers))
            yield batch

    monkeypatch.setattr(RayEngine, "batches", killing)
    store = RayEngine(engine, home / "openvino").embed(many)
    assert killed
    np.testing.assert_allclose(store.vectors, engine.embed(many).vectors, atol=1e-6)


def test_interrupted_embedding_is_resumed(home, many, tmp_path, monkeypatch):
    engine = OpenVINOEngine(home / "openvino")
    batches, read = RayEngine.batches, []

    def interrupted(self, paths):
        for number, batch in enumerate(batches(self, paths)):
            if number == 3:
                raise KeyboardInterrupt
            yield batch

    def recorded(self, paths):
        read.extend(paths)
        return batches(self, paths)

    monkeypatch.setattr(RayEngine, "batches", interrupted)
    with pytest.raises(KeyboardInterrupt):
        RayEngine(engine, home / "openvino").embed(many, directory=tmp_path / "store")
    monkeypatch.setattr(RayEngine, "batches", recorded)
    store = RayEngine(engine, home / "openvino").embed(many, directory=tmp_path / "store")
    assert len(read) == len(many) - 3 * 32
    np.testing.assert_allclose(store.vectors, engine.embed(many).vectors, atol=1e-6)


def test_unreadable_images_are_skipped_with_a_log_line_or_an_error(home, scenes, tmp_path, caplog):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    catalog = Catalog.from_source(data)
    with open(catalog.paths[4], "wb") as file:
        file.write(b"no image")
    os.unlink(catalog.paths[7])
    engine = RayEngine(OpenVINOEngine(home / "openvino"), home / "openvino")
    store = engine.embed(catalog, on_error="skip")
    assert list(store.items.ids) == [name for row, name in enumerate(catalog.ids) if row not in (4, 7)]
    assert f"skipped {catalog.paths[4]} (not a JPEG" in caplog.text
    assert f"skipped {catalog.paths[7]} (No such file or directory)" in caplog.text
    with pytest.raises(UserError, match="cannot decode"):
        engine.embed(catalog)


def test_remote_images_are_embedded(home, scenes, served, tmp_path, caplog):
    local = Catalog.from_source(scenes)
    with (tmp_path / "remote.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label"])
        for row in range(len(local)):
            where = served if row % 2 else f"file://{scenes}"
            rows.writerow([f"{where}/{local.ids[row]}", local.class_names[local.labels[row]]])
        rows.writerow([f"{served}/missing.png", "sea"])
    remote = Catalog.from_source(tmp_path / "remote.csv")
    engine = OpenVINOEngine(home / "openvino")
    store = RayEngine(engine, home / "openvino").embed(remote, on_error="skip")
    np.testing.assert_allclose(store.vectors, engine.embed(local).vectors, atol=1e-6)
    assert "missing.png (download failed: FileNotFoundError" in caplog.text


def test_error_in_an_actor_is_one_line(home, scenes, tmp_path):
    folder = shutil.copytree(home / "openvino", tmp_path / "o")
    engine = RayEngine(OpenVINOEngine(folder), folder)
    (folder / "model.xml").write_text("damage")
    with pytest.raises(UserError, match=r"^Ray: [^\n]*corrupt") as error:
        engine.embed(Catalog.from_source(scenes))
    assert "\n" not in str(error.value)


def test_actors_write_shards_that_load_as_one_store(home, many, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FILES_PER_SHARD", 100)
    engine, where = OpenVINOEngine(home / "openvino"), tmp_path / "shards"
    ray_engine = RayEngine(engine, home / "openvino")
    assert ray_engine.write_shards(many, Shards(str(where)), provenance={"model": "m"}) == len(many)
    shards = sorted(where.glob("shard-*.parquet"))
    assert len(shards) == -(-len(many) // 100)
    store, expected = load_store(str(where)), engine.embed(many)
    np.testing.assert_allclose(store.vectors, expected.vectors, atol=1e-6)
    for column in ("ids", "labels", "paths", "splits"):
        assert list(getattr(store.items, column)) == list(getattr(expected.items, column))
    assert store.items.class_names == many.class_names
    assert store.provenance == {"engine": "openvino", "precision": "float32", "model": "m"}
    assert [path.name for path in where.glob(".tmp*")] == []

    shards[1].unlink()
    embedded = []
    monkeypatch.setattr(RayEngine, "_map_blocks", lambda self, worker, more, blocks, mapped=RayEngine._map_blocks: (
        embedded.extend(block["row"][0].as_py() for block in blocks) or mapped(self, worker, more, blocks)
    ))  # fmt: skip
    assert ray_engine.write_shards(many, Shards(str(where)), provenance={"model": "m"}) == len(many)
    assert embedded == [100], "existing shards are kept"
    with pytest.raises(UserError, match="--shards"):
        ray_engine.write_shards(many, Shards(str(where)), provenance={"model": "other"})


def test_unreadable_images_are_not_in_the_shards(home, scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    catalog = Catalog.from_source(data)
    with open(catalog.paths[4], "wb") as file:
        file.write(b"no image")
    engine, shards = RayEngine(OpenVINOEngine(home / "openvino"), home / "openvino"), Shards(str(tmp_path / "shards"))
    for _ in range(2):  # the second call finds the part of the first
        with pytest.raises(UserError, match="cannot decode"):
            engine.write_shards(catalog, shards)
    with pytest.raises(UserError, match="not finished"):
        load_store(str(tmp_path / "shards"))
    assert engine.write_shards(catalog, shards, on_error="skip") == len(catalog) - 1
    assert catalog.ids[4] not in load_store(str(tmp_path / "shards")).items.ids
