"""Tests of the OpenVINO engine."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.keras_engine import KerasEngine
from tfretrieval.errors import UserError
from tfretrieval.vectors import paired_cosines

pytest.importorskip("openvino", reason="OpenVINO is not installed")

from tfretrieval.embedding.openvino import engine as openvino_engine
from tfretrieval.embedding.openvino.engine import OpenVINOEngine, core, has_bfloat16
from tfretrieval.embedding.openvino.model_dir import MODEL


@pytest.mark.parametrize("n", [3, 27])
def test_embeddings_agree_with_keras(embedder, converted, scenes, n):
    catalog = Catalog.from_source(scenes)
    catalog = catalog.subset(np.arange(n))
    store = OpenVINOEngine(converted).embed(catalog)
    expected = KerasEngine(embedder).embed(catalog)
    assert paired_cosines(store.vectors, expected.vectors).min() > 0.9999
    np.testing.assert_allclose(store.vectors, expected.vectors, atol=0.02)
    assert list(store.items.ids) == list(expected.items.ids)
    assert store.provenance == {"engine": "openvino", "precision": "float32"}


def test_embeddings_of_pixels_agree_with_keras(embedder, converted):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3), np.uint8)
    vectors = OpenVINOEngine(converted).embed_pixels(pixels)
    np.testing.assert_allclose(vectors, KerasEngine(embedder).embed_pixels(pixels), atol=1e-3)


@pytest.mark.skipif(not has_bfloat16(), reason="this CPU does not support bfloat16")
def test_bfloat16_is_close_to_float32(converted, scenes):
    engines = [OpenVINOEngine(converted, precision) for precision in ("float32", "bfloat16")]
    expected, rounded = (engine.embed(Catalog.from_source(scenes)).vectors for engine in engines)
    assert 0.99 < paired_cosines(rounded, expected).min() < 1 - 1e-9


def test_bfloat16_is_an_error_without_support_of_the_cpu(converted, monkeypatch):
    monkeypatch.setattr(openvino_engine, "has_bfloat16", lambda: False)
    with pytest.raises(UserError, match="bfloat16"):
        OpenVINOEngine(converted, "bfloat16")


def test_unreadable_image_is_an_error_or_skipped(converted, scenes, tmp_path):
    data = shutil.copytree(scenes, tmp_path / "scenes")
    (data / "train" / "sea" / "0.png").write_bytes(b"no image")
    catalog = Catalog.from_source(data)
    engine = OpenVINOEngine(converted)
    with pytest.raises(UserError, match=r"train/sea/0\.png"):
        engine.embed(catalog)
    store = engine.embed(catalog, on_error="skip")
    readable = catalog.subset(catalog.ids != "train/sea/0.png")
    assert list(store.items.ids) == list(readable.ids)
    np.testing.assert_allclose(store.vectors, engine.embed(readable).vectors, atol=1e-6)


def test_embedding_does_not_import_tensorflow(converted, scenes):
    program = (
        "import sys; from pathlib import Path; from tfretrieval.data.catalog import Catalog; "
        "from tfretrieval.embedding.openvino.engine import OpenVINOEngine; "
        f"print(OpenVINOEngine(Path({str(converted)!r})).embed(Catalog.from_source({str(scenes)!r})).dim); "
        "assert not {'tensorflow', 'keras', 'sklearn'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "10\n"


def test_unreadable_model_is_an_error_without_output(converted, tmp_path, capfd, monkeypatch):
    directory = shutil.copytree(converted, tmp_path / "e", ignore=shutil.ignore_patterns("cache"))
    engine = OpenVINOEngine(directory)
    (directory / MODEL).write_text("damage")
    with pytest.raises(UserError, match=str(directory)) as error:
        list(engine.batches(["a.jpg"]))
    assert "\n" not in str(error.value)
    assert not capfd.readouterr().err


def test_missing_openvino_is_an_error(converted, monkeypatch):
    monkeypatch.setattr(openvino_engine, "is_installed", lambda: False)
    with pytest.raises(UserError, match=r"tfretrieval\[openvino\]"):
        OpenVINOEngine(converted)


def test_process_has_one_core():
    assert core() is core()


def test_ctrl_c_works_after_engines_are_deleted(converted, scenes):
    program = """
import os, signal, sys
from pathlib import Path
from tfretrieval.embedding.openvino.engine import OpenVINOEngine
signal.signal(signal.SIGINT, signal.default_int_handler)
first, second = OpenVINOEngine(Path(sys.argv[1])), OpenVINOEngine(Path(sys.argv[1]))
for engine in (first, second):
    list(engine.batches([sys.argv[2]]))
del engine, first
del second
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""
    image = str(Catalog.from_source(scenes).paths[0])
    command = [sys.executable, "-c", program, str(converted), image]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout) == (0, "interrupted\n"), result.stderr
