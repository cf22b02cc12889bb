"""A small picture as part of a page."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from tfretrieval.report.picture import address

SIDE = 192  # pixels of the longer side: sharp on a dense screen, 4 to 8 kB
QUALITY = 72


@dataclass(frozen=True)
class Thumbnail:
    """A picture as it goes into a page.

    Attributes:
        uri: the picture as an address that holds it whole.
        width: in pixels.
        height: in pixels.
    """

    uri: str
    width: int
    height: int

    @classmethod
    def of_pixels(cls, pixels: np.ndarray) -> Thumbnail:
        """Of uint8 [h, w, 3], RGB.

        >>> Thumbnail.of_pixels(np.zeros((2, 3, 3), np.uint8)).uri[:23]
        'data:image/webp;base64,'
        """
        from PIL import Image

        webp = io.BytesIO()
        Image.fromarray(pixels).save(webp, format="WEBP", quality=QUALITY, method=3)
        return cls(address("webp", webp.getvalue()), pixels.shape[1], pixels.shape[0])
