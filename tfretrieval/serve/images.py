"""Images on their way in, from an upload to pixels, and on their way out, as files and as thumbnails."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from tfretrieval.data.read_image import FORMATS, UNREADABLE, BrokenImageError, read_image, read_thumbnail
from tfretrieval.serve.collection import Collection
from tfretrieval.serve.http_errors import Refusal

KEPT_THUMBNAILS = 4096
QUALITY = 85


def uploaded_pixels(data: bytes, size: int, fit: str, most_pixels: int) -> np.ndarray:
    """The image of an upload, as the engine wants it: uint8 [size, size, 3].

    Its size is read before it is decoded. What it is called and what type it is said to have do not count.

    Raises:
        Refusal: 413 where it has more pixels than that, 415 where it is no image, 422 where it is a damaged one.
    """
    width, height = _size_of(data)
    if width * height > most_pixels:
        raise Refusal(413, f"the image has {width:,} x {height:,} pixels; {most_pixels:,} are the most")
    try:
        return read_image(io.BytesIO(data), size, fit)
    except BrokenImageError as reason:
        raise Refusal(422, f"the image cannot be decoded: {reason}") from None


def _size_of(data: bytes) -> tuple[int, int]:
    if not data:
        raise Refusal(422, "the file is empty")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Refusal(413, "the image has too many pixels") from None
    except UNREADABLE:
        raise Refusal(415, f"it is not an image that can be read; known are {', '.join(FORMATS)}") from None


class ImageFiles:
    """The files of a collection's items. A name is looked up among its ids and never made into a path."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.thumbnail: Callable[[str, int], bytes] = lru_cache(KEPT_THUMBNAILS)(self._thumbnail)

    def original(self, item: str) -> tuple[Path, str]:
        """The file of an item and its media type, which its first bytes say.

        Raises:
            Refusal: there is no such item, or its file is gone or no image any more.
        """
        path = self._path(item)
        try:
            with Image.open(path, formats=FORMATS) as image:
                return path, Image.MIME[image.format or ""]
        except UNREADABLE:
            raise Refusal(404, "the file of this item is gone or damaged") from None

    def _thumbnail(self, item: str, side: int) -> bytes:
        """A JPEG of at most `side` x `side` pixels, whole, upright.

        Raises:
            Refusal: there is no such item, or its file is gone or no image any more.
        """
        try:
            pixels = read_thumbnail(self._path(item), side)
        except BrokenImageError:
            raise Refusal(404, "the file of this item is gone or damaged") from None
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format="JPEG", quality=QUALITY)
        return file.getvalue()

    def _path(self, item: str) -> Path:
        items, row = self._collection.place_of(item)
        path = str(items.paths[row])
        if not path:
            raise Refusal(404, "this item has no file")
        return Path(path)
