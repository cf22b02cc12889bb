"""Image issues: unusual properties of decodable images, from the file header and a few pixels."""

import os
import warnings
from typing import BinaryIO

import numpy as np
from PIL import Image

from tfretrieval.data.read_image import FORMATS, JPEG, UNREADABLE

MIN_SIDE = 32  # pixels
MAX_ASPECT_RATIO = 3
MAX_PIXELS = 50_000_000
MIN_DEVIATION = 2  # standard deviation of the gray levels, of 255
DARK, BRIGHT = 64, 240  # gray levels
MAX_CHANNEL_DIFFERENCE = 6  # between the channels of a gray pixel

IMAGE_ISSUES = {
    "grayscale": "stored in grayscale",
    "grayscale_pixels": "stored in color, but every pixel is gray",
    "alpha": "alpha channel; composited on white",
    "cmyk": "CMYK; converted to RGB",
    "16_bit": "16 bits per channel; reduced to 8",
    "exif_rotated": "rotated upright by EXIF orientation",
    "exif_ignored": "EXIF orientation ignored: the file is no JPEG",
    "animated": "animated; only the first frame is read",
    "wrong_suffix": "file name suffix does not match the format",
    "small": f"a side below {MIN_SIDE} pixels",
    "large": f"more than {MAX_PIXELS // 1_000_000} million pixels",
    "aspect_ratio": f"aspect ratio above {MAX_ASPECT_RATIO}:1",
    "single_color": "a single color",
    "dark": "nearly black",
    "bright": "nearly white",
}
_ORIENTATION_TAG = 0x0112
_PNG_BIT_DEPTH_OFFSET = 24


def file_issues(file: BinaryIO, name: str = "") -> list[str]:
    """Return the keys of `IMAGE_ISSUES` that an image file's header shows; nothing is decoded.

    Args:
        file: the open file; no issues are returned for an unreadable one.
        name: file name; its format is not checked if its suffix is not that of an image format.

    >>> from io import BytesIO
    >>> file = BytesIO()
    >>> Image.new("L", (200, 40)).save(file, "PNG")
    >>> file_issues(file, "strip.jpg")
    ['grayscale', 'wrong_suffix', 'aspect_ratio']
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about large images and corrupt EXIF
        try:
            with Image.open(file, formats=FORMATS) as image:
                issues = _header_issues(image, file, name)
        except Image.DecompressionBombError:
            return ["large"]
        except UNREADABLE:
            return []
    return [key for key in IMAGE_ISSUES if key in issues]


def pixel_issues(images: np.ndarray, gray: np.ndarray) -> list[list[str]]:
    """Return the keys of `IMAGE_ISSUES` that the pixels of each image show.

    Args:
        images: uint8 [b, s, s, 3], RGB, scaled down.
        gray: uint8 [b, s, s], the same in gray.

    >>> images = np.full((1, 4, 4, 3), 250, np.uint8)
    >>> pixel_issues(images, images[..., 0])
    [['grayscale_pixels', 'single_color']]
    """
    is_gray = np.ptp(images.astype(np.int16), axis=-1).max(axis=(1, 2)) <= MAX_CHANNEL_DIFFERENCE
    levels = gray.reshape(len(gray), -1)
    is_flat = levels.std(axis=1) < MIN_DEVIATION
    low, high = np.percentile(levels, [5, 99], axis=1)
    masks = {
        "grayscale_pixels": is_gray,
        "single_color": is_flat,
        "dark": (high < DARK) & ~is_flat,
        "bright": (low > BRIGHT) & ~is_flat,
    }
    return [[key for key, mask in masks.items() if mask[row]] for row in range(len(images))]


def _header_issues(image: Image.Image, file: BinaryIO, name: str) -> set[str]:
    width, height = image.size
    form = "JPEG" if image.format in JPEG else image.format or ""
    has_orientation = _orientation(image) != 1
    file.seek(_PNG_BIT_DEPTH_OFFSET)
    checks = {
        "grayscale": image.mode in ("1", "L", "LA", "La") or image.mode.startswith("I"),
        "alpha": image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or (form == "PNG" and "transparency" in image.info),
        "cmyk": image.mode == "CMYK",
        "16_bit": form == "PNG" and file.read(1) == b"\x10",
        "exif_rotated": has_orientation and form == "JPEG",
        "exif_ignored": has_orientation and form != "JPEG",
        "animated": form != "JPEG" and bool(getattr(image, "is_animated", False)),
        "wrong_suffix": _has_wrong_suffix(name, form),
        "small": min(width, height) < MIN_SIDE,
        "large": width * height > MAX_PIXELS,
        "aspect_ratio": max(width, height) > MAX_ASPECT_RATIO * min(width, height),
    }
    return {key for key, has_issue in checks.items() if has_issue}


def _has_wrong_suffix(name: str, form: str) -> bool:
    expected = Image.registered_extensions().get(os.path.splitext(name)[1].lower(), form)
    return expected != form and not (expected in JPEG and form == "JPEG")


def _orientation(image: Image.Image) -> int:
    exif = Image.Exif()
    exif.load(image.info.get("exif", b""))
    value = exif.get(_ORIENTATION_TAG, 1)
    return value if value in range(1, 9) else 1
