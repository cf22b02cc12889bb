"""The data set `mit-split`: 2,688 photographs of eight outdoor scenes, split into train and test.

Source: A. Oliva and A. Torralba, Modeling the shape of the scene, IJCV 42(3), 2001. The original archive has all files
in one folder, named `<class>_<name>.jpg`; a manifest lists the split and hash of each.
"""

import csv
import hashlib
import os
import zipfile
from importlib import resources
from pathlib import Path, PurePosixPath

from tfretrieval.atomic import replaced_file
from tfretrieval.data.cache import cache_folder
from tfretrieval.data.download import download
from tfretrieval.errors import UserError
from tfretrieval.progress import progress

RENAMED = {"insidecity": "inside_city", "opencountry": "Opencountry"}


def manifest() -> dict[str, str]:
    """{path: SHA-256} of the files of the data set, in the order of the manifest."""
    with resources.files("tfretrieval.data").joinpath("mit_split.csv").open(encoding="utf-8") as file:
        return {row["path"]: row["sha256"] for row in csv.DictReader(file)}


def folder() -> Path:
    """Folder of the prepared data set: `$TFRET_MIT_SPLIT`, or `mit-split` in the cache folder.

    Raises:
        UserError: the folder does not exist.
    """
    path = _location()
    if not path.is_dir():
        raise UserError(f"mit-split is missing at {path}; run `tfret data prepare mit-split --archive FILE|URL` first")
    return path


def is_prepared() -> bool:
    """Whether the data set is prepared, with every file."""
    return all((_location() / name).is_file() for name in manifest())


def prepare(archive: str, target: Path | None = None) -> Path:
    """Extract the original archive as `<split>/<class>/<name>.jpg`; an interrupted call can be repeated.

    Args:
        archive: zip file or http(s) URL.
        target: folder to write to; by default `mit-split` in the cache folder.

    Returns:
        The folder.

    Raises:
        UserError: the archive is missing or damaged, or its files differ from the manifest.
    """
    target = target or cache_folder() / "mit-split"
    missing = {name: sha256 for name, sha256 in manifest().items() if _difference(target / name, sha256)}
    if not missing:
        return target
    downloaded = "://" in archive
    file = download(archive, target.parent) if downloaded else Path(archive)
    if not file.is_file():
        raise UserError(f"the archive {file} does not exist")
    try:
        with zipfile.ZipFile(file) as opened:
            _extract(opened, missing, target)
    except (zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{archive} is not a complete zip archive: {error}") from None
    finally:
        if downloaded:
            file.unlink(missing_ok=True)
    return target


def verify(path: Path) -> list[str]:
    """Compare a prepared folder with the manifest.

    Returns:
        One line per missing, changed or unexpected file.

    Raises:
        UserError: the folder does not exist.
    """
    if not path.is_dir():
        raise UserError(f"the folder {path} does not exist")
    expected = manifest()
    differences = [
        f"{name}: {difference}"
        for name, sha256 in progress(list(expected.items()), "verify")
        if (difference := _difference(path / name, sha256))
    ]
    present = [file.relative_to(path).as_posix() for file in sorted(path.rglob("*.jpg"))]
    return differences + [f"{name}: not in the manifest" for name in present if name not in expected]


def _location() -> Path:
    return Path(os.environ.get("TFRET_MIT_SPLIT") or cache_folder() / "mit-split")


def _extract(archive: zipfile.ZipFile, missing: dict[str, str], target: Path) -> None:
    members = {_target_name(name): name for name in archive.namelist() if name.lower().endswith(".jpg")}
    for path, sha256 in progress(list(missing.items()), "prepare"):
        member = members.get(path.partition("/")[2])
        if member is None:
            raise UserError(f"{path} is missing in the archive; use the original archive")
        content = archive.read(member)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise UserError(f"{member} in the archive differs from the manifest; use the original archive")
        with replaced_file(target / path) as temporary:
            temporary.write_bytes(content)


def _target_name(member: str) -> str:
    """`<class>/<name>.jpg` for an archive member `.../<class>_<name>.jpg`; one class contains an underscore."""
    stem = PurePosixPath(member).name
    prefix, _, name = stem.partition("_")
    if stem.startswith("inside_city_"):
        prefix, name = "inside_city", stem.removeprefix("inside_city_")
    return f"{RENAMED.get(prefix, prefix)}/{name}"


def _difference(file: Path, sha256: str) -> str:
    """How a file differs from the manifest; "" if it does not."""
    if not file.is_file():
        return "missing"
    return "" if hashlib.sha256(file.read_bytes()).hexdigest() == sha256 else "content differs (SHA-256)"
