"""The public names, and which rooms may import which."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tfretrieval

PACKAGE = Path(tfretrieval.__file__).parent
GROUND = ["_version", "errors", "atomic", "progress", "memory", "vectors", "runs", "quiet", "reach", "estimator"]
ROOMS = ["data", "models", "losses", "embedding", "transform", "retrieval", "evaluation", "training", "visualize"]
ROOMS += ["report", "steps", "serve", "cli"]


def test_every_public_name_is_there():
    for name in tfretrieval.__all__:
        assert getattr(tfretrieval, name).__doc__ or name == "__version__"
    with pytest.raises(AttributeError, match="has no attribute 'Katalog'"):
        tfretrieval.Katalog  # noqa: B018


def imports_of(room: str) -> set[str]:
    files = [PACKAGE / f"{room}.py"] if (PACKAGE / f"{room}.py").is_file() else sorted((PACKAGE / room).rglob("*.py"))
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tfretrieval."):
                found.add(node.module.split(".")[1])
    return found - {room}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_before_it(room):
    assert imports_of(room) <= {*GROUND, *ROOMS[: ROOMS.index(room)]}


def test_every_room_is_known():
    names = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert names - {"__init__", "py"} == {*GROUND, *ROOMS}


def test_vectors_from_anywhere_need_no_tensorflow():
    modules = [
        f"tfretrieval.{path.relative_to(PACKAGE).with_suffix('').as_posix().replace('/', '.')}"
        for room in ("transform.py", "retrieval", "evaluation", "visualize")
        for path in ([PACKAGE / room] if room.endswith(".py") else sorted((PACKAGE / room).glob("[a-z]*.py")))
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
