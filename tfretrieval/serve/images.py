"""Images of requests: decoding of uploads, media types and thumbnails of files."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image
from starlette.exceptions import HTTPException

from tfretrieval.data.read_image import FORMATS, UNREADABLE, BrokenImageError, read_image, read_thumbnail

MAX_CACHED_THUMBNAILS = 4096
JPEG_QUALITY = 85
UNREADABLE_FILE = "the file of this item is missing or corrupt"


def decode_upload(data: bytes, size: int, resize_mode: str, max_pixels: int) -> np.ndarray:
    """Decode an upload to uint8 [size, size, 3].

    The image size is read from the header before decoding. File name and stated media type are ignored.

    Raises:
        HTTPException: 413 if the image has too many pixels, 415 if it is no image, 422 if it is corrupt.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise HTTPException(413, "the image has too many pixels") from None
    except UNREADABLE:
        raise HTTPException(415, f"not a readable image; supported formats: {', '.join(FORMATS)}") from None
    if width * height > max_pixels:
        raise HTTPException(413, f"the image has {width:,} x {height:,} pixels; the limit is {max_pixels:,}")
    try:
        return read_image(io.BytesIO(data), size, resize_mode)
    except BrokenImageError as error:
        raise HTTPException(422, f"the image cannot be decoded: {error}") from None


def media_type(path: str) -> str:
    """Return the media type of an image file, from its first bytes.

    Raises:
        HTTPException: 404 if the file is missing or corrupt.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            return Image.MIME[image.format or ""]
    except UNREADABLE:
        raise HTTPException(404, UNREADABLE_FILE) from None


@lru_cache(MAX_CACHED_THUMBNAILS)
def thumbnail(path: str, side: int) -> bytes:
    """Return an upright JPEG of at most `side` x `side` pixels.

    Raises:
        HTTPException: 404 if the file is missing or corrupt.
    """
    try:
        pixels = read_thumbnail(path, side)
    except BrokenImageError:
        raise HTTPException(404, UNREADABLE_FILE) from None
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
