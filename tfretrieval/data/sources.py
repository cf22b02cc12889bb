"""Readers of folders, CSV files and built-in data sets."""

import csv
import importlib
import logging
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.data.remote import is_remote
from tfretrieval.errors import UserError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp"})
SPLIT_NAMES = frozenset({"train", "test", "val", "valid", "validation", "query", "gallery"})
FLAG_VALUES = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}
BUILT_IN = {"digits": "tfretrieval.data.digits", "mit-split": "tfretrieval.data.mit_split"}
REMEDY = f"use a folder, a CSV file, {' or '.join(BUILT_IN)}"

log = logging.getLogger(__name__)

Columns = dict[str, Any]


def read_source(source: str | os.PathLike[str], allow_single_class: bool = False) -> Columns:
    """Read a folder, a CSV file, or a built-in data set.

    Args:
        source: path or name.
        allow_single_class: accept a source with one class.

    Returns:
        "ids", "paths" and "classes", list of str [n] each, "" for an unknown class; where the source has them "splits",
        list of str [n], "is_query" and "is_gallery", bool [n]; and "source", the path or name.

    Raises:
        UserError: the source does not exist or cannot be used.
    """
    name, path = os.fspath(source), _location(source)
    if path.is_dir():
        columns = read_folder(path)
    elif path.is_file() and path.suffix.lower() == ".csv":
        columns = read_csv(path)
    elif path.is_file():
        raise UserError(f"{path} is not a CSV file", REMEDY)
    else:
        raise UserError(f"{path} does not exist", REMEDY)
    class_names = set(columns["classes"]) - {""}
    if len(class_names) < 2 and not allow_single_class:
        nested = [child for child in _subfolders(path) if len(_subfolders(child)) > 1] if path.is_dir() else []
        hint = f"; did you mean {nested[0]}?" if nested else ""
        found = f"only one class, {class_names.pop()!r}" if class_names else "no classes"
        raise UserError(f"{path} has {found}", f"retrieval needs two or more classes{hint}")
    return {**columns, "source": name if name in BUILT_IN else str(path)}


def absolute_source(source: str | os.PathLike[str]) -> str:
    """A source as an absolute path, or the name of a built-in data set; "" stays "".

    >>> absolute_source("digits")
    'digits'
    """
    name = os.fspath(source)
    return name if not name or name in BUILT_IN else str(Path(name).expanduser().absolute())


def last_modified(source: str | os.PathLike[str]) -> float:
    """When files were last added to a source or deleted from it, in seconds since 1970; infinity if it is missing.

    Only the modification times of folders, or of the CSV file, are read; see `last_changed` for those of files.
    """
    path = _location(source)
    folders = [folder for folder, _, _ in os.walk(path)] or [os.fspath(path)]
    try:
        return max(os.stat(folder).st_mtime for folder in folders)
    except OSError:
        return float("inf")


def last_changed(paths: Iterable[str]) -> float:
    """When one of these files was last changed, in seconds since 1970; infinity if one is missing."""
    try:
        stats = [os.stat(path) for path in set(paths) if not is_remote(path)]
    except OSError:
        return float("inf")
    return max((max(stat.st_mtime, stat.st_ctime) for stat in stats), default=0.0)


def read_folder(folder: Path) -> Columns:
    """Read `<split>/<class>/<file>` or `<class>/<file>`. Nested files belong to their class folder.

    Raises:
        UserError: the folder has no class folders, or a class has no images.
    """
    top = _class_folders(folder)
    has_splits = all(child.name.lower() in SPLIT_NAMES for child in top)
    files: list[tuple[str, str, Path]] = []
    for split_folder in top if has_splits else [folder]:
        for class_folder in _class_folders(split_folder):
            files += [(split_folder.name.lower(), class_folder.name, file) for file in _image_files(class_folder)]
    return {
        "ids": [file.relative_to(folder).as_posix() for _, _, file in files],
        "paths": [str(file.absolute()) for _, _, file in files],
        "classes": [name for _, name, _ in files],
        **({"splits": [split for split, _, _ in files]} if has_splits else {}),
    }


def read_csv(path: Path) -> Columns:
    """Read the columns `path,label[,split,id,is_query,is_gallery]` of a CSV file in UTF-8.

    Paths are relative to the CSV file, absolute or remote. An empty label stands for an unknown class.

    Raises:
        UserError: a column or a file is missing, or a value cannot be used.
    """
    rows = _read_rows(path)
    names = rows[0].keys()
    files = [row["path"] if is_remote(row["path"]) else str((path.parent / row["path"]).absolute()) for row in rows]
    missing = [file for file in files if not (is_remote(file) or os.path.isfile(file))]
    if missing:
        raise UserError(f"{path} lists {len(missing)} files that do not exist, the first {missing[0]}")
    return {
        "ids": [row["id" if "id" in names else "path"] for row in rows],
        "paths": files,
        "classes": [row["label"] for row in rows],
        **({"splits": [row["split"] or "all" for row in rows]} if "split" in names else {}),
        **{name: _flags(path, rows, name) for name in ("is_query", "is_gallery") if name in names},
    }


def _location(source: str | os.PathLike[str]) -> Path:
    """The path of a source; modules of built-in data sets are imported on demand."""
    name = os.fspath(source)
    return importlib.import_module(BUILT_IN[name]).folder() if name in BUILT_IN else Path(name).expanduser()


def _read_rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = list(reader.fieldnames or [])
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as CSV in UTF-8: {error}") from None
    if missing := [name for name in ("path", "label") if name not in names]:
        raise UserError(
            f"{path} has no column {' and no column '.join(missing)}", f"it has {', '.join(names) or 'none'}"
        )
    if not rows:
        raise UserError(f"{path} lists no images")
    for line, row in enumerate(rows, start=2):
        if None in row.values():
            raise UserError(f"{path}, line {line}: the line is shorter than the header")
    return rows


def _flags(path: Path, rows: list[dict[str, str]], column: str) -> np.ndarray:
    for line, row in enumerate(rows, start=2):
        if row[column].strip().lower() not in FLAG_VALUES:
            raise UserError(f"{path}, line {line}: {column} is {row[column]!r}", "it must be true or false")
    return np.array([FLAG_VALUES[row[column].strip().lower()] for row in rows], bool)


def _class_folders(folder: Path) -> list[Path]:
    folders = _subfolders(folder)
    if not folders:
        raise UserError(f"{folder} has no class folders", f"images belong in {folder}/<class>/<file>")
    return folders


def _subfolders(folder: Path) -> list[Path]:
    try:
        children = sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror}") from None
    return [child for child in children if child.is_dir() and not child.name.startswith(".")]


def _image_files(class_folder: Path) -> list[Path]:
    files = sorted(file for file in class_folder.rglob("*") if file.is_file() and not file.name.startswith("."))
    images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise UserError(
            f"{class_folder} has no images ({', '.join(sorted(IMAGE_SUFFIXES))})", "add some or delete the folder"
        )
    ignored = Counter(file.suffix.lower() or file.name for file in files if file.suffix.lower() not in IMAGE_SUFFIXES)
    if ignored:
        log.info("%s: ignored %s", class_folder, ", ".join(f"{n} {kind}" for kind, n in ignored.most_common()))
    return images
