"""From a file to pixels without TensorFlow: what `decode` does in the graph, done by Pillow.

Pixels are those of `decode_and_resize` to the bit for what both read.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")
JPEG = ("JPEG", "MPO")  # to Pillow a JPEG with a second image behind the first, as phones write them, is an MPO
# what Pillow raises for files that are no whole image; for damaged ones it is not one class
UNREADABLE = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, struct.error,
    Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
NOT_AN_IMAGE = "it is no JPEG, PNG, BMP, GIF or WebP image"
CUT_OFF = "the file ends before its image does"
MOST_PIXELS = 2 * 89_478_485  # Pillow's limit, against files that are made to fill the memory
TOO_LARGE = f"it has more than {MOST_PIXELS // 1_000_000} million pixels, the most that are read"
ROOM = 3  # a JPEG is decoded at so many times the wanted size at least, so that the resize still sets the filter

Source = str | os.PathLike[str] | BinaryIO


class BrokenImageError(Exception):
    """A file that cannot be decoded; its text is the reason, without the name of the file."""


def read_image(path: Source, size: int, fit: str = "crop") -> np.ndarray:
    """Read an image file, or an open one, and bring it to `size` x `size`: uint8 [size, size, 3], RGB, upright.

    Args:
        path: a JPEG, PNG, BMP, GIF or WebP file.
        size: the side in pixels.
        fit: "crop" keeps the largest central square, "pad" adds black borders, "stretch" does neither.

    Raises:
        BrokenImageError: the file cannot be read, or is not a whole image.
    """
    with _read(path, ROOM * size) as image:
        return np.asarray(_resized(_as_rgb(image), size, fit))


def read_thumbnail(path: Source, side: int) -> np.ndarray:
    """Read an image file and bring its longer side to `side` at most: uint8 [h, w, 3], RGB, upright, to be looked at.

    Raises:
        BrokenImageError: the file cannot be read, or is not a whole image.
    """
    with _read(path, 2 * side) as image:
        small = _as_rgb(image)
        small.thumbnail((side, side))
        return np.asarray(small)


@contextlib.contextmanager
def _read(path: Source, least: int) -> Iterator[Image.Image]:
    """The image in a file, upright; a JPEG is scaled down as it is decoded, to no less than `least` pixels."""
    try:
        with Image.open(path, formats=FORMATS) as file:
            if file.width * file.height > MOST_PIXELS:
                raise BrokenImageError(TOO_LARGE)
            if file.format not in JPEG:
                yield file
                return
            file.draft("RGB", (least, least))
            yield ImageOps.exif_transpose(file)
    except FileNotFoundError:
        raise BrokenImageError("the file does not exist") from None
    except PermissionError:
        raise BrokenImageError("no permission to read it") from None
    except Image.DecompressionBombError:
        raise BrokenImageError(TOO_LARGE) from None
    except Image.UnidentifiedImageError:
        empty = _is_empty(path)
        raise BrokenImageError("the file is empty" if empty else NOT_AN_IMAGE) from None
    except UNREADABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise BrokenImageError(CUT_OFF if "truncated" in reason.lower() else reason) from None


def _is_empty(file: Source) -> bool:
    if isinstance(file, (str, os.PathLike)):
        return os.path.getsize(file) == 0
    return file.seek(0, os.SEEK_END) == 0


def _as_rgb(image: Image.Image) -> Image.Image:
    """Any mode -> RGB: transparency is laid on white, 16 bits become 8."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if "A" in image.mode or (image.mode == "P" and image.format == "PNG" and "transparency" in image.info):
        pixels = np.asarray(image.convert("RGBA")).astype(np.float32)
        alpha = pixels[..., 3:] / 255
        return Image.fromarray(np.rint(pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8))
    return image.convert("RGB")


def _resized(image: Image.Image, size: int, fit: str) -> Image.Image:
    width, height = image.size
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    elif fit == "pad":
        side = max(width, height)
        square = Image.new("RGB", (side, side))
        square.paste(image, ((side - width) // 2, (side - height) // 2))
        image = square
    elif fit != "stretch":
        raise ValueError(f"fit must be crop, pad or stretch, not {fit!r}")
    # across first: which way Pillow takes first, where both are asked for, differs between its versions
    across = image.resize((size, image.height), Image.Resampling.BILINEAR)
    return across.resize((size, size), Image.Resampling.BILINEAR)
