"""Which engine a run takes, and what it keeps for it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.workflows import engine as module
from tfretrieval.workflows.embed import embed_split
from tfretrieval.workflows.engine import EngineChoice, engine_for, engine_of

openvino = pytest.mark.skipif(not module.is_installed(), reason="OpenVINO is not installed")


def test_few_images_are_not_worth_a_conversion(run, catalog):
    assert engine_for(run, catalog).name == "keras"
    assert not run.engine("openvino").exists()


@openvino
def test_many_images_are_and_then_few_as_well(run, catalog, monkeypatch):
    monkeypatch.setattr(module, "_has_gpu", lambda: False)
    monkeypatch.setattr(module, "WORTH_CONVERTING", len(catalog))
    assert engine_for(run, catalog).name == "openvino"
    assert engine_for(run, catalog.subset(np.arange(2))).name == "openvino"
    monkeypatch.setattr(module, "_has_gpu", lambda: True)
    assert engine_for(run, catalog).name == "keras"


def test_without_openvino_keras(run, catalog, monkeypatch):
    monkeypatch.setattr(module, "is_installed", lambda: False)
    monkeypatch.setattr(module, "WORTH_CONVERTING", 1)
    assert engine_for(run, catalog).name == "keras"
    with pytest.raises(UserError, match=r"pip install 'tfretrieval\[openvino\]'"):
        engine_for(run, catalog, EngineChoice("openvino"))


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_keras_has_one_precision(precision):
    with pytest.raises(UserError, match="belongs to --engine openvino"):
        EngineChoice("keras", precision)


@openvino
def test_a_precision_that_does_not_agree_is_left(run, catalog, monkeypatch, caplog):
    monkeypatch.setattr(module, "has_bfloat16", lambda: True)
    monkeypatch.setattr("tfretrieval.embedding.openvino.engine.has_bfloat16", lambda: True)
    choice = EngineChoice("openvino")
    monkeypatch.setattr(module, "cosines", lambda *_: np.array([1.0, 0.998]))
    assert engine_for(run, catalog, choice).precision == "float32"
    assert "cosine of only 0.9980" in caplog.text
    caplog.clear()
    assert engine_for(run, catalog, choice).precision == "float32", "the check is kept"
    assert not caplog.text
    shutil.rmtree(run.engine("openvino"))
    monkeypatch.setattr(module, "cosines", lambda *_: np.array([1.0, 0.9995]))
    assert engine_for(run, catalog, choice).precision == "bfloat16"


@openvino
def test_without_bfloat16_float32(run, catalog, monkeypatch):
    monkeypatch.setattr(module, "has_bfloat16", lambda: False)
    assert engine_for(run, catalog, EngineChoice("openvino")).precision == "float32"


@openvino
def test_a_model_that_changed_is_converted_anew(run, catalog):
    choice = EngineChoice("openvino", "float32")
    first = engine_for(run, catalog, choice).header["model"]
    with run.model_path.open("ab") as file:
        file.write(b"\0")
    assert engine_for(run, catalog, choice).header["model"] == run.model_fingerprint() != first


@openvino
@pytest.mark.parametrize("file", ["model.xml", "model.bin", "engine.json"])
def test_a_damaged_conversion_is_made_anew_with_a_warning(run, catalog, caplog, file):
    choice = EngineChoice("openvino", "float32")
    vectors = engine_for(run, catalog, choice).vectors(list(catalog.paths))
    damaged = run.engine("openvino") / file
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    again = engine_for(run, catalog, choice)
    assert "damaged" in caplog.text
    assert "converted anew" in caplog.text
    np.testing.assert_array_equal(again.vectors(list(catalog.paths)), vectors)


@openvino
def test_another_engine_is_asked_for_and_the_store_is_made_anew(run, catalog, caplog):
    caplog.set_level("INFO", "tfretrieval")
    assert embed_split(run, catalog, "train").made_from["engine"] == "keras"
    store = embed_split(run, catalog, "train", choice=EngineChoice("openvino", "float32"))
    assert store.made_from["engine"] == "openvino"
    assert "another engine" in caplog.text
    assert embed_split(run, catalog, "train").made_from["engine"] == "openvino", "auto takes what is there"


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
    gallery = Embeddings.from_arrays(np.eye(2), made_from=made)
    monkeypatch.setattr(module, "is_installed", lambda: True)
    assert engine_of(gallery) == EngineChoice("openvino", "int8")
    monkeypatch.setattr(module, "is_installed", lambda: False)
    assert engine_of(gallery) == EngineChoice()
    assert "not installed here" in caplog.text
    assert engine_of(Embeddings.from_arrays(np.eye(2))) == EngineChoice()


def test_catalogs_of_unknown_classes_can_be_quantized_on(monkeypatch):
    catalog = Catalog.from_lists(["a", "b"])
    made = [Embeddings.of_catalog(np.eye(2, dtype=np.float32), catalog)] * 2
    engines = [type("E", (), {"embed": lambda self, *_, _e=e, **__: _e})() for e in made]
    assert module._loss(catalog, *engines) == {"n": 2, "lowest_cosine": 1.0}
