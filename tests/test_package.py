"""The public names, and which packages import TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tfretrieval

PACKAGE = Path(tfretrieval.__file__).parent
OPTIONAL = {
    "fastapi", "fsspec", "nncf", "openvino", "prometheus_client", "pydantic", "pymilvus", "ray", "starlette",
    "tensorflow_addons", "uvicorn",
}  # fmt: skip


def test_every_public_name_is_there():
    for name in tfretrieval.__all__:
        assert getattr(tfretrieval, name).__doc__
    with pytest.raises(AttributeError, match="Katalog"):
        tfretrieval.Katalog  # noqa: B018


def modules_of(*folders: Path) -> list[str]:
    files = [file.relative_to(PACKAGE).with_suffix("") for folder in folders for file in folder.rglob("[a-z]*.py")]
    return sorted(".".join(["tfretrieval", *file.parts]) for file in files)


def test_every_module_can_be_imported():
    code = f"""
import importlib
for name in {modules_of(PACKAGE)}:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        print(error.name.partition(".")[0])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= OPTIONAL


def test_vectors_from_anywhere_need_no_tensorflow():
    modules = modules_of(*(PACKAGE / name for name in ("retrieval", "evaluation", "visualize")))
    code = f"import sys, importlib\nfor m in {modules}: importlib.import_module(m)\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert len(modules) > 20
    assert not {"tensorflow", "keras"} & set(loaded)


def test_only_one_file_imports_tensorflow_addons():
    users = [
        f.relative_to(PACKAGE).as_posix() for f in PACKAGE.rglob("*.py") if "from tensorflow_addons" in f.read_text()
    ]
    assert users == ["losses/addons.py"]
