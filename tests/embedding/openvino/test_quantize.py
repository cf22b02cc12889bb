"""Tests of quantization to int8."""

from __future__ import annotations

import sys

import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError
from tfretrieval.vectors import paired_cosines

pytest.importorskip("openvino", reason="OpenVINO is not installed")

from tfretrieval.embedding.openvino.engine import OpenVINOEngine
from tfretrieval.embedding.openvino.model_dir import read_header
from tfretrieval.embedding.openvino.quantize import quantize


def test_quantized_embeddings_are_close_to_float32(converted, scenes, tmp_path):
    pytest.importorskip("nncf", reason="NNCF is not installed")
    catalog = Catalog.from_source(scenes)
    quantize(converted, tmp_path / "q", [*catalog.paths, str(tmp_path / "missing.jpg")])
    header = read_header(tmp_path / "q")
    assert (header["calibrated_on"], header["model"]) == (len(catalog), "m")
    engines = OpenVINOEngine(converted), OpenVINOEngine(tmp_path / "q", "int8")
    expected, quantized = (engine.embed(catalog).vectors for engine in engines)
    assert 0.95 < paired_cosines(quantized, expected).min() < 1 - 1e-9


def test_calibration_without_readable_images_is_an_error(converted, tmp_path):
    pytest.importorskip("nncf", reason="NNCF is not installed")
    with pytest.raises(UserError, match="calibration"):
        quantize(converted, tmp_path / "q", [str(tmp_path / "missing.jpg")])


def test_missing_nncf_is_an_error(converted, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(UserError, match=r"tfretrieval\[int8\]"):
        quantize(converted, tmp_path / "q", ["a.jpg"])
