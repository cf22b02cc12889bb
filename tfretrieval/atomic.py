"""Files and folders that appear whole or not at all.

What is written goes to a temporary name beside its target and is renamed when it is complete, so that an
interruption, a full disk or a crash leaves the previous version in place.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfretrieval.errors import UserError


@contextlib.contextmanager
def replaced_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well it takes the place of `path`.

    The temporary name keeps the suffix of `path`, because Keras and NumPy choose a format by it.

    Raises:
        UserError: the file cannot be written (no permission, no space).
    """
    target = Path(path)
    temporary = target.with_name(f".tmp-{uuid.uuid4().hex[:8]}-{target.name}")
    with readable_os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            _flush_to_disk(temporary)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replaced_directory(path: str | os.PathLike[str], known_by: str) -> Iterator[Path]:
    """Yield a new temporary folder beside `path`; when the block ends well it takes the place of `path`.

    Args:
        path: the folder.
        known_by: a file that every folder of this kind holds. An older folder is replaced only where it holds that
            file or nothing: a folder of other things is not ours to delete.

    Raises:
        UserError: the folder cannot be written (no permission, no space), or holds other things.
    """
    target = Path(path)
    if target.is_dir() and not (target / known_by).exists() and any(target.iterdir()):
        raise UserError(f"{target} exists and holds other things (it has no {known_by}); give another folder")
    token = uuid.uuid4().hex[:8]
    temporary = target.with_name(f".tmp-{token}-{target.name}")
    retired = target.with_name(f".old-{token}-{target.name}")
    with readable_os_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.mkdir()
            yield temporary
            for written in temporary.rglob("*"):
                if written.is_file():
                    _flush_to_disk(written)
            if target.exists():
                os.replace(target, retired)
            os.replace(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(retired, ignore_errors=True)


def clear_leftovers(directory: str | os.PathLike[str]) -> None:
    """Delete what a killed process left under temporary names anywhere below a folder that nobody else writes to."""
    for pattern in (".tmp-*", ".old-*"):
        for leftover in list(Path(directory).rglob(pattern)):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with replaced_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | os.PathLike[str], remedy: str = "") -> dict[str, Any]:
    """Read a JSON file that holds an object.

    Args:
        path: the file.
        remedy: what to do where that fails, such as "rebuild it with `tfret index`".

    Raises:
        UserError: the file is missing, or holds something else.
    """
    hint = f"; {remedy}" if remedy else ""
    try:
        read = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(read, dict):
            raise ValueError("no object")
        return read
    except FileNotFoundError:
        raise UserError(f"{path} does not exist{hint}") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{path} is damaged: it cannot be read as JSON ({error}){hint}") from None


def _flush_to_disk(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def readable_os_errors(target: Path) -> Iterator[None]:
    """Turn the system's errors into the user's: `target` cannot be written, and why."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}") from error
