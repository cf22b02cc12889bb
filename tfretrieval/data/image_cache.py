"""Cache of decoded images on disk: one memory-mapped file per catalog, image size and resize mode."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from tfretrieval.artifacts import ArtifactType
from tfretrieval.data.cache import cache_folder
from tfretrieval.errors import UserError

DECODER_VERSION = 1  # to be increased when decoding changes pixels
IMAGES = "images.npy"
CACHE = ArtifactType("image cache", "images.json", 2, "delete the directory")
WriteBatch = Callable[[np.ndarray, np.ndarray], None]


def image_folder(paths: Iterable[str], size: int, fit: str) -> Path:
    """Cache folder of the decoded images of these files."""
    return cache_folder() / "images" / images_fingerprint(paths, size, fit)


def images_fingerprint(paths: Iterable[str], size: int, fit: str) -> str:
    """Short hash of the names, sizes and modification times of files, and of how they are decoded."""
    digest = hashlib.sha256(f"{DECODER_VERSION} {size} {fit}".encode())
    for path in paths:
        stat = os.stat(path) if os.path.exists(path) else None
        state = f"{stat.st_size} {stat.st_mtime_ns}" if stat else "missing"
        digest.update(f"\n{os.path.abspath(path)} {state}".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def read_images(folder: Path, n: int, size: int) -> tuple[np.ndarray, dict[int, str]] | None:
    """Read what `write_images` wrote.

    Returns:
        Images uint8 [n, size, size, 3], memory-mapped, and {row: reason} of unreadable files; None if not cached.

    Raises:
        CorruptArtifact: the folder is damaged.
    """
    if not CACHE.exists(folder):
        return None
    with CACHE.reading(folder):
        broken = {int(row): str(reason) for row, reason in CACHE.read_header(folder)["broken"].items()}
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
        if images.shape != (n, size, size, 3) or images.dtype != np.uint8:
            raise ValueError(f"the images are {images.dtype} {images.shape}")
        return images, broken


def write_images(folder: Path, n: int, size: int, decode: Callable[[WriteBatch], dict[int, str]]) -> None:
    """Write n decoded images to a cache folder, completely or not at all.

    Args:
        folder: see `image_folder`.
        n: number of images.
        size: side of the images in pixels.
        decode: calls its argument with rows int [b] and images uint8 [b, size, size, 3], and returns {row: reason} of
            the unreadable files.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    check_disk_space(folder, n * size * size * 3)
    with CACHE.replaced(folder) as temporary:
        writer = ImageWriter(temporary / IMAGES, n, size)
        try:
            broken = decode(writer.write)
        finally:
            writer.close()
        CACHE.write_header(temporary, {"broken": {str(row): reason for row, reason in broken.items()}})


class ImageWriter:
    """Writes images uint8 [size, size, 3] to their rows of a new .npy file, in any order.

    On a full disk a write raises an error; writing to a memory map would kill the process.
    """

    def __init__(self, path: Path, n: int, size: int) -> None:
        self._file = path.open("wb")
        header = {"descr": "|u1", "fortran_order": False, "shape": (n, size, size, 3)}
        np.lib.format.write_array_header_1_0(self._file, header)
        self._start = self._file.tell()
        self._stride = size * size * 3
        self._file.truncate(self._start + n * self._stride)

    def write(self, rows: np.ndarray, images: np.ndarray) -> None:
        """Write images uint8 [b, size, size, 3] to rows int [b]."""
        for row, image in zip(rows, images):
            self._file.seek(self._start + int(row) * self._stride)
            self._file.write(image.tobytes())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def check_disk_space(folder: Path, n_bytes: int) -> None:
    """Check that a number of bytes is free on the disk of a folder.

    Raises:
        UserError: the disk has less free space.
    """
    existing = next(parent for parent in folder.absolute().parents if parent.exists())
    free = shutil.disk_usage(existing).free
    if n_bytes > free:
        raise UserError(
            f"decoded images need {n_bytes / 1e9:.1f} GB and {existing} has {free / 1e9:.1f} GB free; "
            "set TFRET_CACHE to another folder or use --cache none"
        )
