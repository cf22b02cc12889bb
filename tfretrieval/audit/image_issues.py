"""What is unusual about an image that can be read: found in the head of its file and in a few of its pixels."""

from __future__ import annotations

import io
import os
import warnings

import numpy as np
from PIL import Image

from tfretrieval.data.read_image import FORMATS, JPEG, UNREADABLE

TINY = 32  # pixels of the shorter side
LONG = 3  # times the shorter side
HUGE = 50_000_000  # pixels
FLAT = 2  # standard deviation of the gray values, of 255
DARK, BRIGHT = 64, 240  # nearly all gray values below, or above
COLORLESS = 6  # the most that the three channels of a pixel differ

ODDITIES = {
    "gray": "stored in gray",
    "gray in color": "stored in color, though every pixel is gray",
    "alpha": "with an alpha channel; it is laid on white",
    "CMYK": "in CMYK",
    "16 bit": "of 16 bits; 8 are read",
    "rotated": "turned upright by EXIF",
    "not turned": "with an EXIF orientation that is not applied, because the file is no JPEG",
    "animated": "animated; the first frame is read",
    "misnamed": "of another format than the name says",
    "tiny": f"with a side below {TINY} pixels",
    "huge": f"with more than {HUGE // 1_000_000} million pixels",
    "long": f"more than {LONG} times as long as wide, or as wide as long",
    "one color": "of a single color",
    "dark": "nearly black",
    "bright": "nearly white",
}
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "WEBP": (".webp",),
}
_ORIENTATION_TAG = 0x0112
_PNG_DEPTH = 24  # where the head of a PNG file names its bits a channel


def oddities_of_file(content: bytes, name: str = "") -> list[str]:
    """Keys of `ODDITIES` that the head of an image file shows; nothing is decoded.

    Args:
        content: the file; of one that cannot be read nothing is said.
        name: of the file; without a suffix of an image format its format is not judged.

    >>> file = io.BytesIO()
    >>> Image.new("L", (200, 40)).save(file, "PNG")
    >>> oddities_of_file(file.getvalue(), "strip.jpg")
    ['gray', 'misnamed', 'long']
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large images and of damaged EXIF
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                found = _of_head(image, content) + _of_name(image, name)
        except Image.DecompressionBombError:
            return ["huge"]
        except UNREADABLE:
            return []
    return [key for key in ODDITIES if key in found]


def oddities_of_pixels(images: np.ndarray, gray: np.ndarray) -> list[list[str]]:
    """Keys of `ODDITIES` that the pixels of images show.

    Args:
        images: uint8 [b, s, s, 3], RGB, scaled down.
        gray: uint8 [b, s, s], the same in gray.

    >>> images = np.full((1, 4, 4, 3), 250, np.uint8)
    >>> oddities_of_pixels(images, images[..., 0])
    [['gray in color', 'one color']]
    """
    colorless = np.ptp(images.astype(np.int16), axis=-1).max(axis=(1, 2)) <= COLORLESS
    values = gray.reshape(len(gray), -1)
    flat = values.std(axis=1) < FLAT
    low, high = np.percentile(values, [5, 99], axis=1)
    marks = {
        "gray in color": colorless,
        "one color": flat,
        "dark": (high < DARK) & ~flat,
        "bright": (low > BRIGHT) & ~flat,
    }
    return [[key for key, holds in marks.items() if holds[row]] for row in range(len(images))]


def _of_head(image: Image.Image, content: bytes) -> list[str]:
    width, height = image.size
    is_jpeg = _format(image) == "JPEG"
    marks = {
        "gray": image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I"),
        "alpha": image.mode in ("RGBA", "LA", "PA", "RGBa", "La")
        or (image.format == "PNG" and "transparency" in image.info),
        "CMYK": image.mode == "CMYK",
        "16 bit": image.format == "PNG" and content[_PNG_DEPTH] == 16,
        "animated": not is_jpeg and bool(getattr(image, "is_animated", False)),
        "tiny": min(width, height) < TINY,
        "huge": width * height > HUGE,
        "long": max(width, height) > LONG * min(width, height),
    }
    if _orientation(image) != 1:
        marks["rotated" if is_jpeg else "not turned"] = True
    return [key for key, holds in marks.items() if holds]


def _of_name(image: Image.Image, name: str) -> list[str]:
    suffix = os.path.splitext(name)[1].lower()
    known = suffix in {one for several in SUFFIXES.values() for one in several}
    return ["misnamed"] if known and suffix not in SUFFIXES[_format(image)] else []


def _format(image: Image.Image) -> str:
    return "JPEG" if image.format in JPEG else image.format or ""


def _orientation(image: Image.Image) -> int:
    exif = Image.Exif()
    exif.load(image.info.get("exif", b""))
    value = exif.get(_ORIENTATION_TAG, 1)
    return value if value in range(1, 9) else 1
