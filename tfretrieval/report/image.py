"""Embedding of images and plots into a page as data URIs."""

import base64
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

MAX_PNG_BYTES = 250_000
MAX_SVG_BYTES = 250_000
SCALE = 150 / 96  # dots per inch of a figure over pixels per inch of a page
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SVG_SIZE = re.compile(rb'<svg[^>]*?\swidth="([\d.]+)pt" height="([\d.]+)pt"', re.DOTALL)


def smaller_format(png: Path) -> Path:
    """Return the SVG beside a PNG if it has up to 250 kB, else the PNG.

    Line plots are smaller and sharper as SVG; photographs and plots of thousands of points are not.
    """
    svg = png.with_suffix(".svg")
    return svg if svg.is_file() and svg.stat().st_size <= MAX_SVG_BYTES else png


def data_uri(content: bytes) -> str:
    """Return a PNG or SVG as a data URI. A PNG over 250 kB is converted to WebP."""
    if not content.startswith(_PNG_SIGNATURE):
        return _encode("svg+xml", content)
    if len(content) <= MAX_PNG_BYTES:
        return _encode("png", content)
    with Image.open(io.BytesIO(content)) as image:
        return _webp_uri(image.convert("RGB"), quality=88)


def pixels_uri(pixels: np.ndarray) -> str:
    """Return an image, uint8 [h, w, 3], as a data URI in WebP."""
    return _webp_uri(Image.fromarray(pixels), quality=80)


def page_size(image: bytes) -> tuple[int, int]:
    """Return width and height of a PNG or SVG in page pixels, 96 per inch, from its header."""
    if image.startswith(_PNG_SIGNATURE):
        width, height = int.from_bytes(image[16:20], "big"), int.from_bytes(image[20:24], "big")
        return max(1, round(width / SCALE)), max(1, round(height / SCALE))
    size = _SVG_SIZE.search(image[:2000])
    assert size is not None
    return round(float(size[1]) * 96 / 72), round(float(size[2]) * 96 / 72)


def _webp_uri(image: Image.Image, quality: int) -> str:
    file = io.BytesIO()
    image.save(file, format="WEBP", quality=quality, method=4)
    return _encode("webp", file.getvalue())


def _encode(subtype: str, content: bytes) -> str:
    return f"data:image/{subtype};base64," + base64.b64encode(content).decode("ascii")
