"""The public names, and which packages import TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tfretrieval

PACKAGE = Path(tfretrieval.__file__).parent


def test_every_public_name_is_there():
    for name in tfretrieval.__all__:
        assert getattr(tfretrieval, name).__doc__
    with pytest.raises(AttributeError, match="Katalog"):
        tfretrieval.Katalog  # noqa: B018


def test_vectors_from_anywhere_need_no_tensorflow():
    modules = [
        f"tfretrieval.{path.relative_to(PACKAGE).with_suffix('').as_posix().replace('/', '.')}"
        for package in ("retrieval", "evaluation", "visualize")
        for path in sorted((PACKAGE / package).rglob("[a-z]*.py"))
    ]
    code = f"import sys, importlib\nfor m in {modules}: importlib.import_module(m)\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert len(modules) > 20
    assert not {"tensorflow", "keras"} & set(loaded)


def test_only_one_file_imports_tensorflow_addons():
    users = [
        f.relative_to(PACKAGE).as_posix() for f in PACKAGE.rglob("*.py") if "from tensorflow_addons" in f.read_text()
    ]
    assert users == ["losses/addons.py"]
