"""Images of requests: decoding of uploads, files and thumbnails of items."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image
from starlette.exceptions import HTTPException

from tfretrieval.data.read_image import FORMATS, UNREADABLE, BrokenImageError, read_image, read_thumbnail
from tfretrieval.serve.collection import Collection

MAX_CACHED_THUMBNAILS = 4096
JPEG_QUALITY = 85


def decode_upload(data: bytes, size: int, fit: str, max_pixels: int) -> np.ndarray:
    """Decode an upload to uint8 [size, size, 3].

    The image size is read from the header before decoding. File name and stated media type are ignored.

    Raises:
        HTTPException: 413 if the image has too many pixels, 415 if it is no image, 422 if it is corrupt.
    """
    width, height = _image_size(data)
    if width * height > max_pixels:
        raise HTTPException(413, f"the image has {width:,} x {height:,} pixels; the limit is {max_pixels:,}")
    try:
        return read_image(io.BytesIO(data), size, fit)
    except BrokenImageError as error:
        raise HTTPException(422, f"the image cannot be decoded: {error}") from None


def _image_size(data: bytes) -> tuple[int, int]:
    if not data:
        raise HTTPException(422, "the file is empty")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise HTTPException(413, "the image has too many pixels") from None
    except UNREADABLE:
        raise HTTPException(415, f"not a readable image; supported formats: {', '.join(FORMATS)}") from None


class ImageFiles:
    """The image files of a collection, by item id; ids are never used as paths."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.thumbnail: Callable[[str, int], bytes] = lru_cache(MAX_CACHED_THUMBNAILS)(self._thumbnail)

    def original(self, item: str) -> tuple[Path, str]:
        """Return path and media type of an item's file, the type from its first bytes.

        Raises:
            HTTPException: 404 if there is no such item, or its file is missing or corrupt.
        """
        path = self._path(item)
        try:
            with Image.open(path, formats=FORMATS) as image:
                return path, Image.MIME[image.format or ""]
        except UNREADABLE:
            raise HTTPException(404, "the file of this item is missing or corrupt") from None

    def _thumbnail(self, item: str, side: int) -> bytes:
        """Return an upright JPEG of at most `side` x `side` pixels.

        Raises:
            HTTPException: 404 if there is no such item, or its file is missing or corrupt.
        """
        try:
            pixels = read_thumbnail(self._path(item), side)
        except BrokenImageError:
            raise HTTPException(404, "the file of this item is missing or corrupt") from None
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format="JPEG", quality=JPEG_QUALITY)
        return file.getvalue()

    def _path(self, item: str) -> Path:
        embeddings, row = self._collection.locate(item)
        path = str(embeddings.items.paths[row])
        if not path:
            raise HTTPException(404, "this item has no file")
        return Path(path)
