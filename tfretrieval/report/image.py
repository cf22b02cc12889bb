"""Images and drawings as part of a page."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np

from tfretrieval.errors import UserError

LARGEST_PNG = 250_000
LARGEST_SVG = 250_000
DOTS_A_PIXEL = 150 / 96  # of a PNG: figures have 150 dots an inch, a page has 96 pixels
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SVG_SIZE = (
    re.compile(rb"<svg[^>]*?\swidth=\"([\d.]+)pt\"", re.DOTALL),
    re.compile(rb"<svg[^>]*?\sheight=\"([\d.]+)pt\"", re.DOTALL),
)


def lightest(png: Path) -> Path:
    """The SVG beside a PNG, where there is one of up to 250 kB; else the PNG.

    A drawing of lines and words is smaller and sharper as SVG, one of photographs or thousands of points is neither.
    """
    svg = png.with_suffix(".svg")
    return svg if svg.is_file() and svg.stat().st_size <= LARGEST_SVG else png


def data_uri(content: bytes) -> str:
    """A PNG or an SVG as an address that holds it whole.

    A PNG over 250 kB goes in as WebP: a fraction of the size, no difference to see.

    Raises:
        UserError: the bytes are neither.
    """
    shown_size(content)
    if not content.startswith(_SIGNATURE):
        return _address("svg+xml", content)
    if len(content) <= LARGEST_PNG:
        return _address("png", content)
    from PIL import Image

    webp = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.convert("RGB").save(webp, format="WEBP", quality=88, method=4)
    return _address("webp", webp.getvalue())


def pixels_uri(pixels: np.ndarray) -> str:
    """A small image, uint8 [h, w, 3], as an address that holds it as WebP."""
    from PIL import Image

    webp = io.BytesIO()
    Image.fromarray(pixels).save(webp, format="WEBP", quality=80, method=4)
    return _address("webp", webp.getvalue())


def shown_size(image: bytes) -> tuple[int, int]:
    """Width and height of a PNG or an SVG in pixels of a page, 96 an inch, from its header.

    Raises:
        UserError: the bytes are neither.
    """
    if image.startswith(_SIGNATURE) and len(image) >= 24:
        width, height = int.from_bytes(image[16:20], "big"), int.from_bytes(image[20:24], "big")
        return max(1, round(width / DOTS_A_PIXEL)), max(1, round(height / DOTS_A_PIXEL))
    found = [pattern.search(image[:2000]) for pattern in _SVG_SIZE]
    if None in found:
        raise UserError("a figure of a report must be a PNG, or an SVG with its size in points")
    width, height = (round(float(match[1]) * 96 / 72) for match in found if match)
    return width, height


def _address(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64," + base64.b64encode(data).decode("ascii")
