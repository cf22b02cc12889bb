import base64
import io

import numpy as np
from PIL import Image

from tfretrieval.report.thumbnail import Thumbnail


def test_a_thumbnail_holds_its_pixels():
    x, y = np.meshgrid(np.arange(96), np.arange(64))
    pixels = np.stack([2 * x, 3 * y, 200 - x], axis=2).astype(np.uint8)
    thumbnail = Thumbnail.of_pixels(pixels)
    assert (thumbnail.width, thumbnail.height) == (96, 64)
    kind, _, data = thumbnail.uri.partition(",")
    assert kind == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert np.abs(np.asarray(image.convert("RGB"), float) - pixels).mean() < 6
