"""A PNG as part of a page."""

from __future__ import annotations

import base64
import io

from tfretrieval.errors import UserError

LARGEST_PNG = 600_000
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def data_uri(png: bytes) -> str:
    """The picture as an address that holds it whole.

    Over 600 kB, which photographs reach, it goes in as WebP: about a tenth of the size, no difference to see.
    """
    if len(png) <= LARGEST_PNG:
        return address("png", png)
    from PIL import Image

    webp = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").save(webp, format="WEBP", quality=88, method=4)
    return address("webp", webp.getvalue())


def pixel_size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG, from its header.

    Raises:
        UserError: the bytes are no PNG.
    """
    if not png.startswith(_SIGNATURE) or len(png) < 24:
        raise UserError("a figure of a report must be a PNG")
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def address(kind: str, data: bytes) -> str:
    """The bytes of an image file of a kind, such as "png", as an address that holds them."""
    return f"data:image/{kind};base64," + base64.b64encode(data).decode("ascii")
