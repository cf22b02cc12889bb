"""Where a catalog comes from: a folder tree, a CSV file, or the name of a built-in data set."""

from __future__ import annotations

import csv
import logging
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from tfretrieval.data import digits, mit_split
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.remote import is_remote
from tfretrieval.errors import UserError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp"})
SPLIT_NAMES = frozenset({"train", "test", "val", "valid", "validation", "query", "gallery"})
TEST_FRACTION = 0.25
BUILT_IN: dict[str, Callable[[], Path]] = {"digits": digits.folder, "mit-split": mit_split.folder}

log = logging.getLogger(__name__)


def read_source(source: str | os.PathLike[str], split: str | None = None) -> Catalog:
    """Read a catalog from a folder, a CSV file, or a built-in name.

    Args:
        source: which.
        split: take all of it as this split of a larger catalog, in which one class is enough.

    Raises:
        UserError: there is nothing by that name, or nothing in it that can be used.
    """
    name = os.fspath(source)
    if name in BUILT_IN:
        return read_folder(BUILT_IN[name](), name, split)
    path = Path(name).expanduser()
    if path.is_dir():
        return read_folder(path, split=split)
    if path.is_file() and path.suffix.lower() == ".csv":
        return read_csv(path, split)
    if path.is_file():
        raise UserError(f"{path} is a file but not a CSV; give a folder, a .csv, or {' or '.join(BUILT_IN)}")
    raise UserError(f"no folder or file {path}, and no built-in data set of that name ({', '.join(BUILT_IN)})")


def located(source: str | os.PathLike[str]) -> str:
    """A source as it can be named from any folder: its absolute path, or the name of a built-in data set.

    Of images that came from nowhere, "", it stays that.

    >>> located("digits")
    'digits'
    """
    name = os.fspath(source)
    return name if not name or name in BUILT_IN else str(Path(name).expanduser().absolute())


def changed_at(source: str | os.PathLike[str]) -> float:
    """When files were last added to a source or taken from it, in seconds since 1970; infinity where it is gone.

    Only folders are asked, or the CSV file itself: an image that is written over goes unseen.
    """
    name = os.fspath(source)
    path = BUILT_IN[name]() if name in BUILT_IN else Path(name).expanduser()
    try:
        newest, folders = path.stat().st_mtime, [path] if path.is_dir() else []
        while folders:
            with os.scandir(folders.pop()) as entries:
                inside = [entry for entry in entries if entry.is_dir()]
            newest = max([newest, *(entry.stat().st_mtime for entry in inside)])
            folders += [Path(entry) for entry in inside]
        return newest
    except OSError:
        return float("inf")


def read_folder(folder: Path, source: str | None = None, split: str | None = None) -> Catalog:
    """Read `<split>/<class>/<file>` or `<class>/<file>`; files deeper down belong to their class folder.

    Where the folder names no splits, a fixed quarter of every class is held out as "test"; with `split`, all is that.

    Raises:
        UserError: no class folders, a class without an image, or a single class.
    """
    source = source or str(folder)
    top = _subfolders(folder)
    if not top:
        raise UserError(f"{folder} has no class folders; images belong in {folder}/<class>/<file>")
    in_splits = all(child.name.lower() in SPLIT_NAMES for child in top)
    paths: list[str] = []
    ids: list[str] = []
    classes: list[str] = []
    splits: list[str] = []
    for split_folder in top if in_splits else [folder]:
        class_folders = _subfolders(split_folder)
        if not class_folders:
            raise UserError(f"{split_folder} has no class folders; images belong in {split_folder}/<class>/<file>")
        for class_folder in class_folders:
            for file in _image_files(class_folder):
                paths.append(str(file.absolute()))
                ids.append(file.relative_to(folder).as_posix())
                classes.append(class_folder.name)
                splits.append(split_folder.name.lower() if in_splits else "all")
    class_names = sorted(set(classes))
    if len(class_names) < 2 and split is None:
        hint = next((f"; did you mean {c}?" for c in top if len(_subfolders(c)) > 1), "")
        raise UserError(f"{folder} has only one class, {class_names[0]!r}; retrieval needs two or more{hint}")
    catalog = Catalog.from_lists(
        paths, [class_names.index(name) for name in classes], class_names, splits, ids, source=source
    )
    if split is not None:
        return _as_split(catalog, split)
    return catalog if in_splits else _with_test_split(catalog)


def read_csv(path: Path, split: str | None = None) -> Catalog:
    """Read the columns `path,label[,split,id,is_query,is_gallery]`; paths are relative to the CSV's folder, or remote.

    An empty label means that the class is not known. With `split`, all is that, whatever the columns say.

    Raises:
        UserError: a column or a file is missing, a value is not what it should be, or there is one class only.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read as CSV in UTF-8: {error}") from None
    missing = [name for name in ("path", "label") if name not in columns]
    if missing:
        raise UserError(
            f"{path} has no column {' and no column '.join(missing)}; it has {', '.join(columns) or 'none'}"
        )
    if not rows:
        raise UserError(f"{path} lists no images")
    if any(row["path"] is None or row["label"] is None for row in rows):
        short = next(i for i, row in enumerate(rows) if row["path"] is None or row["label"] is None)
        raise UserError(f"{path}, line {short + 2}: the line is shorter than the header")
    files = [row["path"] if is_remote(row["path"]) else str((path.parent / row["path"]).absolute()) for row in rows]
    absent = [file for file in files if not (is_remote(file) or os.path.isfile(file))]
    if absent:
        raise UserError(f"{path} lists {len(absent)} files that do not exist, the first {absent[0]}")
    class_names = sorted({row["label"] for row in rows if row["label"]})
    if len(class_names) < 2 and split is None:
        raise UserError(f"{path} has {len(class_names)} class; retrieval needs two or more")
    number_of = {name: label for label, name in enumerate(class_names)}
    catalog = Catalog.from_lists(
        paths=files,
        labels=[number_of.get(row["label"], -1) for row in rows],
        class_names=class_names,
        splits=[row["split"] or "all" for row in rows] if "split" in columns else None,
        ids=[row["id"] if "id" in columns else row["path"] for row in rows],
        is_query=_flags(path, rows, "is_query") if "is_query" in columns else None,
        is_gallery=_flags(path, rows, "is_gallery") if "is_gallery" in columns else None,
        source=str(path),
    )
    if split is not None:
        return _as_split(catalog, split)
    return catalog if "split" in columns or catalog.is_query is not None else _with_test_split(catalog)


def _with_test_split(catalog: Catalog) -> Catalog:
    """Hold out a quarter of every class as "test", always the same quarter."""
    _, held = catalog.hold_out(TEST_FRACTION, seed=0)
    test = set(held.ids)
    log.info(
        "%s has no train and test split: a fixed quarter of each class (%d of %d images) is held out as test",
        catalog.source, len(test), len(catalog),
    )  # fmt: skip
    return Catalog.from_lists(
        list(catalog.paths),
        catalog.labels,
        catalog.class_names,
        ["test" if name in test else "train" for name in catalog.ids],
        list(catalog.ids),
        source=catalog.source,
    )


def _as_split(catalog: Catalog, split: str) -> Catalog:
    splits = np.full(len(catalog), split, dtype=object)
    return replace(catalog, splits=splits, is_query=None, is_gallery=None)


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
            f"{class_folder} has no images ({', '.join(sorted(IMAGE_SUFFIXES))}); add some or delete the folder"
        )
    if len(images) < len(files):
        others = Counter(
            file.suffix.lower() or file.name for file in files if file.suffix.lower() not in IMAGE_SUFFIXES
        )
        named = ", ".join(f"{count} {kind}" for kind, count in others.most_common())
        log.info("%s: left out are files of kinds that are not read: %s", class_folder, named)
    return images


def _flags(path: Path, rows: list[dict[str, str]], column: str) -> list[bool]:
    values = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "": False}
    flags = []
    for line, row in enumerate(rows, start=2):
        value = (row[column] or "").strip().lower()
        if value not in values:
            raise UserError(f"{path}, line {line}: {column} is {row[column]!r}; it must be true or false")
        flags.append(values[value])
    return flags
