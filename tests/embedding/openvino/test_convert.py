"""Tests of converting Keras models to OpenVINO."""

from __future__ import annotations

import keras
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.keras_engine import KerasEngine
from tfretrieval.errors import UserError
from tfretrieval.models.embedder import build_embedder
from tfretrieval.vectors import paired_cosines

pytest.importorskip("openvino", reason="OpenVINO is not installed")

from tfretrieval.embedding.openvino import convert
from tfretrieval.embedding.openvino.convert import save_openvino_model
from tfretrieval.embedding.openvino.engine import OpenVINOEngine
from tfretrieval.embedding.openvino.model_dir import read_header


def test_header_describes_the_embedder(converted):
    header = read_header(converted)
    assert {name: header[name] for name in ("model", "image_size", "dim", "resize_mode")} == {
        "model": "m", "image_size": 24, "dim": 10, "resize_mode": "crop",
    }  # fmt: skip


def test_half_precision_model_is_converted_in_float32(tmp_path, scenes):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        embedder = build_embedder("convnet", 24, 10)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    save_openvino_model(embedder, tmp_path / "e", "crop", {"model": "m"})
    catalog = Catalog.from_source(scenes)
    store = OpenVINOEngine(tmp_path / "e").embed(catalog)
    assert paired_cosines(store.vectors, KerasEngine(embedder).embed(catalog).vectors).min() > 0.999


def test_model_with_other_outputs_is_an_error_and_not_written(embedder, tmp_path, monkeypatch):
    monkeypatch.setattr(convert, "TOLERANCE", -1.0)
    with pytest.raises(UserError, match="--engine keras"):
        save_openvino_model(embedder, tmp_path / "e", "crop", {"model": "m"})
    assert not (tmp_path / "e").exists()
