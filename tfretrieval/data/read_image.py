"""Decode and resize images with Pillow, without TensorFlow.

Every command and engine reads images here. The pixels of exported models, see `decode_and_resize`, are identical.
"""

import contextlib
import logging
import os
import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from tfretrieval.errors import UserError, in_one_line, one_line

log = logging.getLogger(__name__)

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
JPEG = ("JPEG", "MPO")  # phones write MPO, a JPEG with a second image after the first
# Pillow raises errors of many classes for damaged files
UNREADABLE = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, struct.error,
    Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
NOT_AN_IMAGE = "not a JPEG, PNG, BMP, GIF or WebP image"
TRUNCATED = "the file is truncated"
MAX_PIXELS = 2 * 89_478_485  # Pillow's limit, against decompression bombs
TOO_LARGE = f"more than {MAX_PIXELS // 1_000_000} million pixels"
JPEG_OVERSAMPLING = 3  # a JPEG is decoded at this multiple of the size at least, so that resizing sets the filter

Source = str | os.PathLike[str] | BinaryIO


class BrokenImageError(Exception):
    """A file cannot be decoded. The message is the reason, without the name of the file."""


def read_image(path: Source, size: int, resize_mode: str = "crop") -> np.ndarray:
    """Read an image as uint8 [size, size, 3], RGB, in its EXIF orientation.

    Args:
        path: a JPEG, PNG, BMP, GIF or WebP file, or an open one.
        size: side in pixels.
        resize_mode: "crop" keeps the largest central square, "pad" adds black borders, "stretch" changes the
            aspect ratio.

    Raises:
        BrokenImageError: the file cannot be decoded.
    """
    with _read(path, JPEG_OVERSAMPLING * size) as image:
        return np.asarray(_resized(_as_rgb(image), size, resize_mode))


def read_thumbnail(path: Source, side: int) -> np.ndarray:
    """Read an image as uint8 [h, w, 3] for display, RGB, in its EXIF orientation, with a longer side of at most `side`.

    Raises:
        BrokenImageError: the file cannot be decoded.
    """
    with _read(path, 2 * side) as image:
        thumbnail = _as_rgb(image)
        thumbnail.thumbnail((side, side))
        return np.asarray(thumbnail)


def read_decodable(paths: Iterable[str], size: int, resize_mode: str) -> np.ndarray:
    """The images of those files that can be decoded, in order: uint8 [m, size, size, 3]."""
    images = []
    for path in paths:
        with contextlib.suppress(BrokenImageError):
            images.append(read_image(path, size, resize_mode))
    return np.array(images, np.uint8).reshape(-1, size, size, 3)


def broken_reason(path: str, size: int, resize_mode: str) -> str:
    """Why a file cannot be decoded."""
    try:
        read_image(path, size, resize_mode)
    except BrokenImageError as reason:
        return str(reason)
    return "decoding failed on the first attempt"


def report_broken_images(broken: dict[str, str], on_error: str, all_broken: bool) -> None:
    """Log the unreadable files if `on_error` is "skip"; raise an error otherwise.

    Args:
        broken: {path: reason}.
        on_error: "fail" or "skip".
        all_broken: whether no file is readable.

    Raises:
        UserError: `on_error` is "fail", or no file is readable.
    """
    lines = [f"{in_one_line(path)} ({reason})" for path, reason in broken.items()]
    if on_error == "skip" and not all_broken:
        for line in lines:
            log.warning("skipped %s", line)
        return
    more = f", and {len(lines) - 3} more" if len(lines) > 3 else ""
    remedy = "" if all_broken else "; --on-error skip excludes them"
    raise UserError(f"cannot decode {'; '.join(lines[:3])}{more}{remedy}")


@contextlib.contextmanager
def _read(path: Source, min_side: int) -> Iterator[Image.Image]:
    """The image in its EXIF orientation; a JPEG is scaled down during decoding to no less than `min_side`."""
    try:
        with Image.open(path, formats=FORMATS) as file:
            if file.width * file.height > MAX_PIXELS:
                raise BrokenImageError(TOO_LARGE)
            if file.format not in JPEG:
                yield file
                return
            file.draft("RGB", (min_side, min_side))
            yield ImageOps.exif_transpose(file)
    except Image.DecompressionBombError:
        raise BrokenImageError(TOO_LARGE) from None
    except Image.UnidentifiedImageError:
        raise BrokenImageError("the file is empty" if _is_empty(path) else NOT_AN_IMAGE) from None
    except UNREADABLE as error:
        reason = one_line(getattr(error, "strerror", None) or error, 120)
        raise BrokenImageError(TRUNCATED if "truncated" in reason.lower() else reason) from None


def _is_empty(file: Source) -> bool:
    if isinstance(file, (str, os.PathLike)):
        return os.path.getsize(file) == 0
    return file.seek(0, os.SEEK_END) == 0


def _as_rgb(image: Image.Image) -> Image.Image:
    """Convert any mode to RGB: transparency is blended with white, 16 bits are reduced to 8."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if "A" in image.mode or (image.mode == "P" and image.format == "PNG" and "transparency" in image.info):
        pixels = np.asarray(image.convert("RGBA")).astype(np.float32)
        alpha = pixels[..., 3:] / 255
        return Image.fromarray(np.rint(pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8))
    return image.convert("RGB")


def _resized(image: Image.Image, size: int, resize_mode: str) -> Image.Image:
    width, height = image.size
    if resize_mode == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    elif resize_mode == "pad":
        side = max(width, height)
        square = Image.new("RGB", (side, side))
        square.paste(image, ((side - width) // 2, (side - height) // 2))
        image = square
    elif resize_mode != "stretch":
        raise ValueError(f"resize_mode must be crop, pad or stretch, not {resize_mode!r}")
    # horizontally first: the order of a two-dimensional resize differs between versions of Pillow
    resized = image.resize((size, image.height), Image.Resampling.BILINEAR)
    return resized.resize((size, size), Image.Resampling.BILINEAR)
