"""Which engine a run takes, and what it keeps for it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.workflows import engine as module
from tfretrieval.workflows.embed import EmbedOptions, embed_split
from tfretrieval.workflows.engine import EngineChoice, choice_of, engine_for

openvino = pytest.mark.skipif(not module.is_installed(), reason="OpenVINO is not installed")


def test_few_images_are_not_worth_a_conversion(run, catalog):
    assert engine_for(run, catalog).name == "keras"
    assert not run.engine("openvino").exists()


@openvino
def test_many_images_are_worth_a_conversion_and_then_few_use_it(run, catalog, monkeypatch):
    monkeypatch.setattr(module, "_has_gpu", lambda: False)
    monkeypatch.setattr(module, "MIN_IMAGES_TO_CONVERT", len(catalog))
    assert engine_for(run, catalog).name == "openvino"
    assert engine_for(run, catalog.subset(np.arange(2))).name == "openvino"
    monkeypatch.setattr(module, "_has_gpu", lambda: True)
    assert engine_for(run, catalog).name == "keras"


def test_keras_is_used_without_openvino(run, catalog, monkeypatch):
    monkeypatch.setattr(module, "is_installed", lambda: False)
    monkeypatch.setattr(module, "MIN_IMAGES_TO_CONVERT", 1)
    assert engine_for(run, catalog).name == "keras"
    with pytest.raises(UserError, match=r"pip install 'tfretrieval\[openvino\]'"):
        engine_for(run, catalog, EngineChoice("openvino"))


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_keras_has_one_precision(precision):
    with pytest.raises(UserError, match="--engine openvino"):
        EngineChoice("keras", precision)


@openvino
def test_bfloat16_is_used_only_if_its_vectors_agree(run, catalog, monkeypatch, caplog):
    monkeypatch.setattr(module, "has_bfloat16", lambda: True)
    monkeypatch.setattr("tfretrieval.embedding.openvino.engine.has_bfloat16", lambda: True)
    choice = EngineChoice("openvino")
    monkeypatch.setattr(module, "paired_cosines", lambda *_: np.array([1.0, 0.998]))
    assert engine_for(run, catalog, choice).precision == "float32"
    assert "0.9980" in caplog.text
    caplog.clear()
    assert engine_for(run, catalog, choice).precision == "float32", "the check is kept"
    assert not caplog.text
    shutil.rmtree(run.engine("openvino"))
    monkeypatch.setattr(module, "paired_cosines", lambda *_: np.array([1.0, 0.9995]))
    assert engine_for(run, catalog, choice).precision == "bfloat16"


@openvino
def test_float32_is_used_without_bfloat16(run, catalog, monkeypatch):
    monkeypatch.setattr(module, "has_bfloat16", lambda: False)
    assert engine_for(run, catalog, EngineChoice("openvino")).precision == "float32"


@openvino
def test_a_changed_model_is_converted_again(run, catalog):
    choice = EngineChoice("openvino", "float32")
    first = engine_for(run, catalog, choice).header["model"]
    with run.model_path.open("ab") as file:
        file.write(b"\0")
    assert engine_for(run, catalog, choice).header["model"] == run.model_fingerprint() != first


@openvino
@pytest.mark.parametrize("file", ["model.xml", "model.bin", "engine.json"])
def test_a_corrupt_converted_model_is_converted_again_with_a_warning(run, catalog, caplog, file):
    choice = EngineChoice("openvino", "float32")
    vectors = engine_for(run, catalog, choice).embed(catalog).vectors
    damaged = run.engine("openvino") / file
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    again = engine_for(run, catalog, choice)
    assert "rebuilding" in caplog.text
    np.testing.assert_array_equal(again.embed(catalog).vectors, vectors)


@openvino
def test_a_store_of_another_engine_is_recomputed(run, catalog, caplog):
    caplog.set_level("INFO", "tfretrieval")
    assert embed_split(run, catalog, "train").provenance["engine"] == "keras"
    store = embed_split(run, catalog, "train", EmbedOptions(engine=EngineChoice("openvino", "float32")))
    assert store.provenance["engine"] == "openvino"
    assert "stale" in caplog.text
    assert embed_split(run, catalog, "train").provenance["engine"] == "openvino", "auto takes what is there"


@openvino
def test_int8_reports_its_loss(run, catalog, caplog):
    pytest.importorskip("nncf", reason="NNCF is not installed")
    caplog.set_level("INFO", "tfretrieval")
    engine = engine_for(run, catalog, EngineChoice(precision="int8"))
    assert (engine.name, engine.precision) == ("openvino", "int8")
    measured = engine.header["int8"]
    assert measured["n"] == len(catalog)
    assert 0 < measured["map"] <= 1
    assert measured["lowest_cosine"] < 1
    assert f"mAP {measured['map']:.4f}, with float32 {measured['map_float32']:.4f}" in caplog.text


def test_queries_take_the_engine_of_the_gallery(caplog, monkeypatch):
    made = {"engine": "openvino", "precision": "int8"}
    monkeypatch.setattr(module, "is_installed", lambda: True)
    assert choice_of(made) == EngineChoice("openvino", "int8")
    monkeypatch.setattr(module, "is_installed", lambda: False)
    assert choice_of(made) == EngineChoice()
    assert "not installed" in caplog.text
    assert choice_of({}) == EngineChoice()


def test_catalogs_of_unknown_classes_can_be_quantized_on(monkeypatch):
    catalog = Catalog.from_lists(["a", "b"])
    made = [Embeddings(catalog, np.eye(2, dtype=np.float32))] * 2
    engines = [type("E", (), {"embed": lambda self, *_, _e=e, **__: _e})() for e in made]
    assert module._quantization_loss(catalog, *engines) == {"n": 2, "lowest_cosine": 1.0}
