"""Cache of decoded images on disk: one memory-mapped file per catalog, image size and resize mode."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from tfretrieval.artifacts import ArtifactType
from tfretrieval.atomic import create_array
from tfretrieval.errors import UserError

DECODER_VERSION = 1  # to be increased when decoding changes pixels
IMAGES = "images.npy"
CACHE = ArtifactType("image cache", "images.json", 2, "delete the directory")
WriteBatch = Callable[[np.ndarray, np.ndarray], None]


def images_fingerprint(paths: Iterable[str], size: int, resize_mode: str) -> str:
    """Short hash of the contents of files and of how they are decoded."""
    from tfretrieval.data.content_digests import content_digests  # imports SQLite, which a query does not need

    description = "\n".join([f"{DECODER_VERSION} {size} {resize_mode}", *content_digests(list(paths))])
    return hashlib.sha256(description.encode()).hexdigest()[:16]


def read_images(folder: Path, n: int, size: int) -> tuple[np.ndarray, dict[int, str]]:
    """Read cached images.

    Returns:
        Images uint8 [n, size, size, 3], memory-mapped, and {row: reason} of unreadable files.

    Raises:
        MissingArtifact: they are not cached.
        CorruptArtifact: the folder is damaged.
    """
    with CACHE.reading(folder):
        broken = {int(row): str(reason) for row, reason in CACHE.read_header(folder)["broken"].items()}
        images = np.load(folder / IMAGES, mmap_mode="r", allow_pickle=False)
        if images.shape != (n, size, size, 3) or images.dtype != np.uint8:
            raise ValueError(f"the images are {images.dtype} {images.shape}")
        return images, broken


def write_images(folder: Path, n: int, size: int, decode: Callable[[WriteBatch], dict[int, str]]) -> None:
    """Write n decoded images to a cache folder, completely or not at all.

    Args:
        folder: cache folder of the images, named by `images_fingerprint`.
        n: number of images.
        size: side of the images in pixels.
        decode: calls its argument with rows int [b] and images uint8 [b, size, size, 3], and returns {row: reason} of
            the unreadable files.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    try:
        with CACHE.replaced(folder) as temporary:
            images = create_array(temporary / IMAGES, (n, size, size, 3), np.uint8)
            broken = decode(images.__setitem__)
            images.flush()
            CACHE.write_header(temporary, {"broken": {str(row): reason for row, reason in broken.items()}})
    except UserError as error:
        raise UserError(error.problem, "set TFRET_CACHE to another directory or use --cache none") from None
