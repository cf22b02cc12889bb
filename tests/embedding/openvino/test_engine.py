"""OpenVINO gives the vectors that Keras gives."""

from __future__ import annotations

import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.cosine import cosines
from tfretrieval.embedding.keras_engine import KerasEngine
from tfretrieval.errors import UserError
from tfretrieval.models import build_embedder

pytest.importorskip("openvino", reason="OpenVINO is not installed")

from tfretrieval.embedding.openvino import convert as openvino_model
from tfretrieval.embedding.openvino import engine as openvino_engine
from tfretrieval.embedding.openvino.convert import save_openvino_model
from tfretrieval.embedding.openvino.engine import OpenVINOEngine, has_bfloat16
from tfretrieval.embedding.openvino.model_dir import HEADER, MODEL, WEIGHTS, read_header
from tfretrieval.embedding.openvino.quantize import quantize


@pytest.fixture(scope="module")
def embedder():
    keras.utils.set_random_seed(0)
    return build_embedder("convnet", 24, 10, normalize=True)


@pytest.fixture(scope="module")
def converted(embedder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("engine") / "openvino"
    save_openvino_model(embedder, folder, "crop", {"model": "m"})
    return folder


@pytest.mark.parametrize("most", [3, 27])
def test_few_or_many_images_get_the_vectors_of_keras_in_their_rows(embedder, converted, scenes, most):
    catalog = Catalog.from_source(scenes)
    catalog = catalog.subset(np.arange(min(most, len(catalog))))
    store = OpenVINOEngine(converted).embed(catalog)
    expected = KerasEngine(embedder).embed(catalog)
    assert cosines(store.vectors, expected.vectors).min() > 0.9999
    np.testing.assert_allclose(store.vectors, expected.vectors, atol=0.02)  # a level of 255 in a pixel
    assert list(store.ids) == list(expected.ids)
    assert store.made_from == {"engine": "openvino", "precision": "float32"}


@pytest.mark.skipif(not has_bfloat16(), reason="this CPU has no bfloat16")
def test_bfloat16_is_near(converted, scenes):
    paths = list(Catalog.from_source(scenes).paths)
    exact, near = (OpenVINOEngine(converted, name).vectors(paths) for name in ("float32", "bfloat16"))
    assert 0.99 < cosines(near, exact).min() < 1 - 1e-9


def test_bfloat16_is_refused_where_the_cpu_has_none(converted, monkeypatch):
    monkeypatch.setattr(openvino_engine, "has_bfloat16", lambda: False)
    with pytest.raises(UserError, match="does not compute in bfloat16"):
        OpenVINOEngine(converted, "bfloat16")


def test_a_model_trained_in_half_precision_can_be_converted(tmp_path, scenes):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        embedder = build_embedder("convnet", 24, 10)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    save_openvino_model(embedder, tmp_path / "e", "crop", {"model": "m"})
    catalog = Catalog.from_source(scenes)
    store = OpenVINOEngine(tmp_path / "e").embed(catalog)
    assert cosines(store.vectors, KerasEngine(embedder).embed(catalog).vectors).min() > 0.999


def test_a_broken_image_fails_by_name_or_is_left_out(converted, scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    (data / "train" / "sea" / "0.png").write_bytes(b"no image")
    catalog = Catalog.from_source(data)
    engine = OpenVINOEngine(converted)
    with pytest.raises(UserError, match=r"train/sea/0\.png .it is no JPEG, PNG, BMP, GIF or WebP image"):
        engine.embed(catalog, directory=tmp_path / "store")
    store = engine.embed(catalog, on_error="skip", directory=tmp_path / "store")
    assert len(store) == len(catalog) - 1
    whole = catalog.subset(catalog.ids != "train/sea/0.png")
    np.testing.assert_allclose(store.vectors, engine.embed(whole).vectors, atol=1e-6)


def test_an_image_that_was_embedded_before_an_interruption_is_not_read_again(converted, scenes, tmp_path, monkeypatch):
    catalog = Catalog.from_source(scenes)
    engine = OpenVINOEngine(converted)
    monkeypatch.setattr("tfretrieval.embedding.partial.SECONDS_BETWEEN_FLUSHES", 0)
    batches = engine.batches

    def interrupted(paths):
        yield next(batches(paths))
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "batches", interrupted)
    with pytest.raises(KeyboardInterrupt):
        engine.embed(catalog, directory=tmp_path / "store")
    read = []
    monkeypatch.setattr(engine, "batches", lambda paths: read.extend(paths) or batches(paths))
    store = engine.embed(catalog, directory=tmp_path / "store")
    assert 0 < len(read) < len(catalog)
    np.testing.assert_array_equal(store.vectors, OpenVINOEngine(converted).embed(catalog).vectors)


def test_embedding_needs_no_tensorflow(converted, scenes):
    code = (
        "import sys; from pathlib import Path; from tfretrieval.data.catalog import Catalog; "
        "from tfretrieval.embedding.openvino.engine import OpenVINOEngine; "
        f"print(OpenVINOEngine(Path({str(converted)!r})).embed(Catalog.from_source({str(scenes)!r})).dim); "
        "assert not {'tensorflow', 'keras', 'sklearn'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "10\n"


@pytest.mark.parametrize(
    "damage", ["no model", "half a model", "other bytes", "no weights", "no header", "another format"]
)
def test_a_damaged_folder_is_one_clear_line(converted, tmp_path, capfd, damage):
    folder = shutil.copytree(converted, tmp_path / "e", ignore=shutil.ignore_patterns("cache"))
    if damage == "no model":
        (folder / MODEL).unlink()
    elif damage == "half a model":
        (folder / MODEL).write_text((folder / MODEL).read_text()[:300])
    elif damage == "other bytes":
        (folder / MODEL).write_text("x" * (folder / MODEL).stat().st_size)
    elif damage == "no weights":
        (folder / WEIGHTS).unlink()
    elif damage == "no header":
        (folder / HEADER).unlink()
    else:
        (folder / HEADER).write_text('{"format": 99}')
    with pytest.raises(UserError) as error:
        OpenVINOEngine(folder).vectors(["a.jpg"])
    assert "\n" not in str(error.value)
    assert not capfd.readouterr().err


def test_a_model_that_answers_otherwise_is_not_written(embedder, tmp_path, monkeypatch):
    monkeypatch.setattr(openvino_model, "TOLERANCE", -1.0)
    with pytest.raises(UserError, match="answers otherwise"):
        save_openvino_model(embedder, tmp_path / "e", "crop", {"model": "m"})
    assert not (tmp_path / "e").exists()


def test_without_openvino_the_extra_is_named(converted, monkeypatch):
    monkeypatch.setattr(openvino_engine, "is_installed", lambda: False)
    with pytest.raises(UserError, match=r"pip install 'tfretrieval\[openvino\]'"):
        OpenVINOEngine(converted)


def test_without_nncf_the_extra_is_named(converted, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(UserError, match=r"pip install 'tfretrieval\[int8\]'"):
        quantize(converted, tmp_path / "q", ["a.jpg"], {})


def test_int8_is_near_and_says_what_it_was_calibrated_on(converted, scenes, tmp_path):
    pytest.importorskip("nncf", reason="NNCF is not installed")
    paths = list(Catalog.from_source(scenes).paths)
    quantize(converted, tmp_path / "q", paths, {})
    assert read_header(tmp_path / "q")["calibrated_on"] == len(paths)
    exact, near = OpenVINOEngine(converted).vectors(paths), OpenVINOEngine(tmp_path / "q", "int8").vectors(paths)
    assert 0.95 < cosines(near, exact).min() < 1 - 1e-9
    with pytest.raises(UserError, match="none of the images"):
        quantize(converted, tmp_path / "q", [str(tmp_path / "none.jpg")], {})


def test_ctrl_c_after_engines_have_come_and_gone_is_a_ctrl_c(converted, scenes):
    program = """
import os, signal, sys
from pathlib import Path
from tfretrieval.embedding.openvino.engine import OpenVINOEngine
signal.signal(signal.SIGINT, signal.default_int_handler)
first, second = OpenVINOEngine(Path(sys.argv[1])), OpenVINOEngine(Path(sys.argv[1]))
for engine in (first, second):
    engine.vectors([sys.argv[2]])
del engine, first
del second
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""
    image = str(Catalog.from_source(scenes).paths[0])
    command = [sys.executable, "-c", program, str(converted), image]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr
