"""`mit-split`: 2,688 photographs of eight outdoor scenes, in the split of the study.

Source: A. Oliva and A. Torralba, Modeling the shape of the scene, IJCV 42(3), 2001. The original archive
holds the files in one folder, named `<class>_<name>.jpg`; the manifest says which file belongs where.
"""

from __future__ import annotations

import csv
import hashlib
import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from tfretrieval.atomic import replaced_file
from tfretrieval.data.cache import cache_folder
from tfretrieval.data.download import download
from tfretrieval.errors import UserError
from tfretrieval.progress import progress

RENAMED = {"insidecity": "inside_city", "opencountry": "Opencountry"}


@dataclass(frozen=True)
class Entry:
    """One line of the manifest: where a file belongs, and what it must be."""

    path: str
    bytes: int
    sha256: str


def manifest() -> list[Entry]:
    """The files of the data set, in the manifest's order."""
    with resources.files("tfretrieval.data").joinpath("mit_split.csv").open(encoding="utf-8") as file:
        return [Entry(row["path"], int(row["bytes"]), row["sha256"]) for row in csv.DictReader(file)]


def folder() -> Path:
    """The prepared folder: `$TFRET_MIT_SPLIT`, or the one in the cache.

    Raises:
        UserError: the data set has not been prepared.
    """
    named = os.environ.get("TFRET_MIT_SPLIT")
    path = Path(named) if named else cache_folder() / "mit-split"
    if not path.is_dir():
        raise UserError(f"mit-split is not at {path}: run `tfret data prepare mit-split --archive FILE|URL` first")
    return path


def is_prepared() -> bool:
    """Whether `folder()` would find the data set, and every file of it."""
    try:
        path = folder()
    except UserError:
        return False
    return all((path / entry.path).is_file() for entry in manifest())


def prepare(archive: str, target: Path | None = None) -> Path:
    """Lay the original archive (a file or an http(s) address) out as `<split>/<class>/<name>.jpg`.

    Files that are already there and right are left alone, and a download goes on from what has arrived, so an
    interrupted call goes on where it stopped.

    Raises:
        UserError: the archive is missing, broken, or lacks a file of the manifest, or a file differs from it.
    """
    target = target or cache_folder() / "mit-split"
    missing = [entry for entry in manifest() if _fault(target, entry) is not None]
    if not missing:
        return target
    downloaded = "://" in archive
    file = download(archive, target.parent) if downloaded else Path(archive)
    if not file.is_file():
        raise UserError(f"no archive {file}")
    try:
        with zipfile.ZipFile(file) as opened:
            _extract(opened, missing, target)
    except (zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{archive} is not a whole zip archive: {error}") from None
    finally:
        if downloaded:
            file.unlink(missing_ok=True)
    return target


def verify(path: Path) -> list[str]:
    """Check a prepared folder against the manifest: a line a fault, none where all is well.

    Raises:
        UserError: there is no such folder.
    """
    if not path.is_dir():
        raise UserError(f"no folder {path}")
    entries = manifest()
    faults = [
        f"{entry.path}: {fault}" for entry in progress(entries, "verify") if (fault := _fault(path, entry)) is not None
    ]
    expected = {entry.path for entry in entries}
    extra = [p.relative_to(path).as_posix() for p in sorted(path.rglob("*.jpg"))]
    return faults + [f"{name}: not in the manifest" for name in extra if name not in expected]


def _extract(archive: zipfile.ZipFile, entries: Iterable[Entry], target: Path) -> None:
    members = {_place(name): name for name in archive.namelist() if name.lower().endswith(".jpg")}
    for entry in progress(list(entries), "prepare"):
        name = "/".join(PurePosixPath(entry.path).parts[1:])
        if name not in members:
            raise UserError(f"the archive has no file for {entry.path}; it is not the original archive")
        content = archive.read(members[name])
        if len(content) != entry.bytes or hashlib.sha256(content).hexdigest() != entry.sha256:
            raise UserError(f"{members[name]} in the archive differs from the manifest (size or sha256)")
        with replaced_file(target / entry.path) as temporary:
            temporary.write_bytes(content)


def _place(member: str) -> str:
    """`<class>/<name>.jpg` of an archive member `.../<class>_<name>.jpg` (a class may hold an underscore)."""
    stem = PurePosixPath(member).name
    prefix, _, name = stem.partition("_")
    if stem.startswith("inside_city_"):
        prefix, name = "inside_city", stem.removeprefix("inside_city_")
    return f"{RENAMED.get(prefix, prefix)}/{name}"


def _fault(root: Path, entry: Entry) -> str | None:
    file = root / entry.path
    if not file.is_file():
        return "missing"
    content = file.read_bytes()
    if len(content) != entry.bytes:
        return f"{len(content)} bytes, not {entry.bytes}"
    return None if hashlib.sha256(content).hexdigest() == entry.sha256 else "contents differ (sha256)"
