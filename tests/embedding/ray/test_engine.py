"""Ray gives the vectors of the engine in its actors, whatever dies on the way."""

from __future__ import annotations

import csv
import logging
import os
import shutil
import signal
import socket
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.keras_engine import KerasEngine
from tfretrieval.errors import UserError
from tfretrieval.models import build_embedder

pytest.importorskip("ray", reason="Ray is not installed: pip install '.[ray]'")
pytest.importorskip("openvino", reason="OpenVINO is not installed: pip install '.[openvino]'")

from tfretrieval.embedding.openvino.convert import save_openvino_model
from tfretrieval.embedding.openvino.engine import OpenVINOEngine
from tfretrieval.embedding.ray import engine as module
from tfretrieval.embedding.ray.cluster import load_ray
from tfretrieval.embedding.ray.engine import RayEngine
from tfretrieval.embedding.ray.parquet_shards import Shards, load_store
from tfretrieval.embedding.ray.worker import EngineFiles

# Ray warns of its own ways
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def _ray():
    """One Ray for all tests, as small as it can be."""
    ray = load_ray()
    ray.init(
        num_cpus=2, object_store_memory=100 << 20, include_dashboard=False, log_to_driver=False,
        logging_level=logging.ERROR,
    )  # fmt: skip
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a Keras model, and the same converted in `openvino/`."""
    keras.utils.set_random_seed(0)
    embedder = build_embedder("convnet", 24, 10, normalize=True)
    folder = tmp_path_factory.mktemp("home")
    embedder.save(folder / "model.keras")
    save_openvino_model(embedder, folder / "openvino", "crop", {"model": "m"})
    return folder


@pytest.fixture
def many(scenes, monkeypatch):
    """The scenes twenty times over under other ids, in blocks of few."""
    monkeypatch.setattr(module, "FILES_PER_BLOCK", 32)
    catalog = Catalog.from_source(scenes)
    rows = np.tile(np.arange(len(catalog)), 20)
    return replace(catalog.subset(rows), ids=np.array([f"{i}" for i in range(len(rows))], object))


def engines(home):
    from tfretrieval.models.embedder import read_model

    return [
        (KerasEngine(read_model(home / "model.keras")), home),
        (OpenVINOEngine(home / "openvino"), home / "openvino"),
    ]


@pytest.mark.parametrize("which", [pytest.param(0, id="keras", marks=pytest.mark.slow), pytest.param(1, id="openvino")])
def test_the_vectors_are_those_of_one_process(home, many, which, tmp_path):
    engine, folder = engines(home)[which]
    store = RayEngine(engine, folder).embed(many, made_from={"model": "m"}, directory=tmp_path / "store")
    expected = engine.embed(many)
    np.testing.assert_allclose(store.vectors, expected.vectors, atol=1e-6)
    assert list(store.ids) == list(many.ids)
    assert store.made_from == {"engine": engine.name, "precision": "float32", "model": "m"}


def test_an_actor_that_is_killed_changes_nothing(home, many, monkeypatch):
    import psutil

    engine = OpenVINOEngine(home / "openvino")
    batches, killed = RayEngine.batches, []

    def killing(self, paths):
        for batch in batches(self, paths):
            workers = [p for p in psutil.process_iter(["cmdline"]) if "MapWorker" in " ".join(p.info["cmdline"] or [])]
            if len(killed) < 2 and workers:  # while the second batch is read, a killed one may not be back yet
                for worker in workers:
                    os.kill(worker.pid, signal.SIGKILL)
                killed.append(len(workers))
            yield batch

    monkeypatch.setattr(RayEngine, "batches", killing)
    store = RayEngine(engine, home / "openvino").embed(many)
    assert killed
    np.testing.assert_allclose(store.vectors, engine.embed(many).vectors, atol=1e-6)


def test_an_interrupted_embedding_goes_on(home, many, tmp_path, monkeypatch):
    engine = OpenVINOEngine(home / "openvino")
    batches, read = RayEngine.batches, []

    def interrupted(self, paths):
        for number, batch in enumerate(batches(self, paths)):
            if number == 3:
                raise KeyboardInterrupt
            yield batch

    def counted(self, paths):
        read.extend(paths)
        return batches(self, paths)

    monkeypatch.setattr(RayEngine, "batches", interrupted)
    with pytest.raises(KeyboardInterrupt):
        RayEngine(engine, home / "openvino").embed(many, directory=tmp_path / "store")
    monkeypatch.setattr(RayEngine, "batches", counted)
    store = RayEngine(engine, home / "openvino").embed(many, directory=tmp_path / "store")
    assert len(read) == len(many) - 3 * 32
    np.testing.assert_allclose(store.vectors, engine.embed(many).vectors, atol=1e-6)


def test_broken_images_are_listed_and_left_out(home, scenes, tmp_path, caplog):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    catalog = Catalog.from_source(data)
    with open(catalog.paths[4], "wb") as file:
        file.write(b"no image")
    os.unlink(catalog.paths[7])
    engine = RayEngine(OpenVINOEngine(home / "openvino"), home / "openvino")
    store = engine.embed(catalog, on_error="skip")
    assert list(store.ids) == [name for row, name in enumerate(catalog.ids) if row not in (4, 7)]
    assert f"skipped {catalog.paths[4]} (it is no JPEG, PNG, BMP, GIF or WebP image)" in caplog.text
    assert f"skipped {catalog.paths[7]} (the file does not exist)" in caplog.text
    with pytest.raises(UserError, match="cannot decode"):
        engine.embed(catalog)


def test_images_may_lie_elsewhere(home, scenes, served, tmp_path, caplog):
    local = Catalog.from_source(scenes)
    with (tmp_path / "remote.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label"])
        for row in range(len(local)):
            where = served if row % 2 else f"file://{scenes}"
            rows.writerow([f"{where}/{local.ids[row]}", local.class_names[local.labels[row]]])
        rows.writerow([f"{served}/nowhere.png", "sea"])
    remote = Catalog.from_source(tmp_path / "remote.csv")
    engine = OpenVINOEngine(home / "openvino")
    store = RayEngine(engine, home / "openvino").embed(remote, on_error="skip")
    np.testing.assert_allclose(store.vectors, engine.embed(local).vectors, atol=1e-6)
    assert "nowhere.png (it cannot be fetched: FileNotFoundError" in caplog.text


def test_a_model_travels_where_its_files_are_not(home, scenes, tmp_path):
    folder = shutil.copytree(home / "openvino", tmp_path / "o")
    engine = OpenVINOEngine(folder)
    engine_files = EngineFiles.of(engine, folder)
    assert engine_files.load().directory == folder
    shutil.rmtree(folder)
    away = engine_files.load()
    assert away.directory != folder
    paths = list(Catalog.from_source(scenes).paths)
    np.testing.assert_array_equal(away.vectors(paths), OpenVINOEngine(home / "openvino").vectors(paths))


def test_nobody_there_is_one_clear_line(home, monkeypatch):
    ray = load_ray()
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def init(address, **_):
        raise ConnectionError(f"Could not find any running Ray instance.\nAt {address}.")

    monkeypatch.setattr(ray, "init", init)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        engine = RayEngine(OpenVINOEngine(home / "openvino"), home / "openvino", address)
        with pytest.raises(UserError, match=rf"^cannot reach Ray at {address}: Connection refused$"):
            engine.vectors(["a.png"])
        listening.listen()
        with pytest.raises(UserError, match=rf"^cannot reach Ray at {address}: Could not find [^\n]*$"):
            engine.vectors(["a.png"])


def test_an_error_in_an_actor_is_one_clear_line(home, scenes, tmp_path):
    folder = shutil.copytree(home / "openvino", tmp_path / "o")
    engine = RayEngine(OpenVINOEngine(folder), folder)
    (folder / "model.xml").write_text("damage")
    with pytest.raises(UserError, match=r"^Ray: [^\n]*damaged") as failed:
        engine.embed(Catalog.from_source(scenes))
    assert "\n" not in str(failed.value)


def test_without_ray_the_extra_is_named(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"pip install 'tfretrieval\[ray\]'"):
        RayEngine(OpenVINOEngine(home / "openvino"), home / "openvino")


def test_the_nodes_write_shards_that_are_read_as_one_store(home, many, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FILES_PER_SHARD", 100)
    engine, where = OpenVINOEngine(home / "openvino"), tmp_path / "shards"
    ray_engine = RayEngine(engine, home / "openvino")
    assert ray_engine.write_shards(many, Shards(str(where)), made_from={"model": "m"}) == len(many)
    parts = sorted(where.glob("part-*.parquet"))
    assert len(parts) == -(-len(many) // 100)
    store, expected = load_store(str(where)), engine.embed(many)
    np.testing.assert_allclose(store.vectors, expected.vectors, atol=1e-6)
    for column in ("ids", "labels", "paths", "splits"):
        assert list(getattr(store, column)) == list(getattr(expected, column))
    assert store.class_names == many.class_names
    assert store.made_from == {"engine": "openvino", "precision": "float32", "model": "m"}
    assert [path.name for path in where.glob(".tmp*")] == []

    parts[1].unlink()
    done = []
    monkeypatch.setattr(RayEngine, "_map_blocks", lambda self, worker, more, blocks, mapped=RayEngine._map_blocks: (
        done.extend(block["row"][0].as_py() for block in blocks) or mapped(self, worker, more, blocks)
    ))  # fmt: skip
    assert ray_engine.write_shards(many, Shards(str(where)), made_from={"model": "m"}) == len(many)
    assert done == [100], "what was there is left"
    with pytest.raises(UserError, match="holds vectors of another model"):
        ray_engine.write_shards(many, Shards(str(where)), made_from={"model": "other"})


def test_broken_images_are_no_part_of_a_shard(home, scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    catalog = Catalog.from_source(data)
    with open(catalog.paths[4], "wb") as file:
        file.write(b"no image")
    engine, shards = RayEngine(OpenVINOEngine(home / "openvino"), home / "openvino"), Shards(str(tmp_path / "shards"))
    for _ in range(2):  # the second finds the part written
        with pytest.raises(UserError, match="cannot decode"):
            engine.write_shards(catalog, shards)
    with pytest.raises(UserError, match="is not finished"):
        load_store(str(tmp_path / "shards"))
    assert engine.write_shards(catalog, shards, on_error="skip") == len(catalog) - 1
    assert catalog.ids[4] not in load_store(str(tmp_path / "shards")).ids
