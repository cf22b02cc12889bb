"""Decoded images on disk: one memory-mapped file a catalog, size and fit, made once and read by every later run."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from tfretrieval.atomic import read_json, replaced_directory, write_json
from tfretrieval.data.cache import cache_folder
from tfretrieval.errors import UserError

PIXELS = 1  # to be raised when files are decoded to other pixels than before
IMAGES, BROKEN = "images.npy", "broken.json"
Take = Callable[[np.ndarray, np.ndarray], None]


def image_folder(paths: Iterable[str], size: int, fit: str) -> Path:
    """Where the decoded images of these files are kept, below the cache folder."""
    return cache_folder() / "images" / images_fingerprint(paths, size, fit)


def images_fingerprint(paths: Iterable[str], size: int, fit: str) -> str:
    """A short hash of the files' names, sizes and times of change, and of how they are decoded."""
    digest = hashlib.sha256(f"{PIXELS} {size} {fit}".encode())
    for path in paths:
        stat = os.stat(path) if os.path.exists(path) else None
        found = f"{stat.st_size} {stat.st_mtime_ns}" if stat else "gone"
        digest.update(f"\n{os.path.abspath(path)} {found}".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def read_images(folder: Path, n: int, size: int) -> tuple[np.ndarray, dict[int, str]] | None:
    """What `write_images` left: uint8 [n, size, size, 3], memory-mapped, and {row: reason}; None where there is none.

    Raises:
        UserError: the folder is damaged.
    """
    if not (folder / BROKEN).is_file():
        return None
    broken = {int(row): str(reason) for row, reason in read_json(folder / BROKEN).items()}
    try:
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} is damaged ({error}); delete it") from None
    if images.shape != (n, size, size, 3) or images.dtype != np.uint8:
        raise UserError(f"{folder} is damaged: it holds {images.dtype} {images.shape}; delete it")
    return images, broken


class ImageWriter:
    """Writes images of uint8 [size, size, 3] to their rows of a new `images.npy`, in any order.

    Plain writes, not a memory map: on a full disk a write is an error, a map is the end of the process.
    """

    def __init__(self, path: Path, n: int, size: int) -> None:
        self._file = path.open("wb")
        header = {"descr": "|u1", "fortran_order": False, "shape": (n, size, size, 3)}
        np.lib.format.write_array_header_1_0(self._file, header)
        self._start = self._file.tell()
        self._stride = size * size * 3
        self._file.truncate(self._start + n * self._stride)

    def write(self, rows: np.ndarray, images: np.ndarray) -> None:
        for row, image in zip(rows, images):
            self._file.seek(self._start + int(row) * self._stride)
            self._file.write(image.tobytes())

    def close(self) -> None:
        self._file.close()


def write_images(folder: Path, n: int, size: int, decode: Callable[[Take], dict[int, str]]) -> None:
    """Keep n images in a folder, which appears whole or not at all.

    Args:
        folder: see `image_folder`.
        n: how many.
        size: side in pixels.
        decode: hands rows and their images to the function that it is given, and returns {row: reason} of the rest.

    Raises:
        UserError: the disk has no room for them, or the folder cannot be written.
    """
    check_room(folder, n * size * size * 3)
    with replaced_directory(folder, BROKEN) as temporary:
        writer = ImageWriter(temporary / IMAGES, n, size)
        try:
            broken = decode(writer.write)
        finally:
            writer.close()
        write_json(temporary / BROKEN, {str(row): reason for row, reason in broken.items()})


def check_room(folder: Path, needed: int) -> None:
    """Raise a UserError where the disk of a folder has not so many bytes free."""
    existing = next(parent for parent in folder.absolute().parents if parent.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise UserError(
            f"the decoded images take {needed / 1e9:.1f} GB on disk and {existing} has {free / 1e9:.1f} GB free; "
            "give another folder in TFRET_CACHE, or --cache none"
        )
