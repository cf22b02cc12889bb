"""Tests of the engine that is sent to actors; `test_engine.py` runs the actors."""

from __future__ import annotations

import shutil

import keras
import numpy as np
import pytest

from tfretrieval.embedding.keras_engine import KerasEngine
from tfretrieval.models.embedder import build_embedder

pytest.importorskip("openvino", reason="OpenVINO is not installed")

from tfretrieval.embedding.openvino.convert import save_openvino_model
from tfretrieval.embedding.openvino.engine import OpenVINOEngine
from tfretrieval.embedding.ray.worker import EngineFiles

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)


@pytest.fixture
def home(tmp_path):
    keras.utils.set_random_seed(0)
    embedder = build_embedder("convnet", 16, 4)
    embedder.save(tmp_path / "model.keras")
    save_openvino_model(embedder, tmp_path / "openvino", "pad", {"model": "m"})
    return tmp_path


@pytest.fixture
def target(tmp_path):
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


def test_openvino_engine_is_loaded_from_copies(home, target):
    engine = OpenVINOEngine(home / "openvino")
    files = EngineFiles.of(engine, home / "openvino")
    expected = engine.embed_pixels(PIXELS)
    shutil.rmtree(home / "openvino")
    copy = files.load(target)
    assert copy.directory == target
    assert (copy.name, copy.precision, copy.resize_mode) == ("openvino", "float32", "pad")
    np.testing.assert_array_equal(copy.embed_pixels(PIXELS), expected)


def test_keras_engine_is_loaded_from_copies(home, target):
    engine = KerasEngine(keras.models.load_model(home / "model.keras"), resize_mode="pad")
    files = EngineFiles.of(engine, home)
    (home / "model.keras").write_bytes(b"another model")
    copy = files.load(target)
    assert (copy.name, copy.resize_mode) == ("keras", "pad")
    np.testing.assert_allclose(copy.embed_pixels(PIXELS), engine.embed_pixels(PIXELS), rtol=1e-6)
