"""Atomic writes of files and directories.

Content is written under a temporary name beside its target and renamed when it is complete, so that an interruption, a
full disk or a crash leaves the previous version in place.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfretrieval.errors import UserError

if TYPE_CHECKING:
    import numpy as np


@contextlib.contextmanager
def replaced_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` if the block succeeds.

    The temporary name keeps the suffix of `path`, by which Keras and NumPy choose a format.

    Raises:
        UserError: the file cannot be written.
    """
    target = Path(path)
    temporary = target.with_name(f".tmp-{uuid.uuid4().hex[:8]}-{target.name}")
    with os_errors_as_user_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            _flush_to_disk(temporary)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replaced_directory(path: str | os.PathLike[str], marker: str) -> Iterator[Path]:
    """Yield a temporary directory that replaces `path` if the block succeeds.

    Args:
        path: the directory.
        marker: name of a file that every directory of this type contains. An existing directory is replaced only if
            it contains that file or is empty, so that no other data are deleted.

    Raises:
        UserError: the directory cannot be written, contains other files, or is a file.
    """
    target = Path(path)
    if target.exists() and not target.is_dir():
        raise UserError(f"{target} is a file", "use another directory")
    if target.is_dir() and not (target / marker).exists() and any(target.iterdir()):
        raise UserError(f"{target} exists and contains other files (no {marker})", "use another directory")
    token = uuid.uuid4().hex[:8]
    temporary = target.with_name(f".tmp-{token}-{target.name}")
    retired = target.with_name(f".old-{token}-{target.name}")
    with os_errors_as_user_errors(target):
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
    """Delete temporary files and directories of killed processes below a directory that no other process writes to."""
    for pattern in (".tmp-*", ".old-*"):
        for leftover in list(Path(directory).rglob(pattern)):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


def create_array(file: Path, shape: tuple[int, ...], dtype: type) -> np.memmap:
    """Create a .npy file with its disk space and map it into memory for writing.

    Writing to a memory map on a full disk would kill the process.

    Raises:
        OSError: the disk is full.
    """
    import numpy as np

    array = np.lib.format.open_memmap(file, "w+", dtype, shape)
    if hasattr(os, "posix_fallocate"):
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    return array


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write text as UTF-8, atomically."""
    with replaced_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write a value as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _flush_to_disk(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def os_errors_as_user_errors(target: Path) -> Iterator[None]:
    """Raise errors of the operating system inside the block as a `UserError` about writing `target`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}") from error
