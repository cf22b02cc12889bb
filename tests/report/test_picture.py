import base64
import io

import numpy as np
import pytest
from PIL import Image

from tfretrieval.errors import UserError
from tfretrieval.report.picture import LARGEST_PNG, data_uri, pixel_size


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def test_a_small_picture_stays_as_it_is():
    data = png(np.zeros((3, 5, 3), np.uint8))
    kind, _, text = data_uri(data).partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(text) == data


def test_a_large_picture_becomes_smaller_and_looks_the_same():
    x, y = np.meshgrid(np.linspace(0, 200, 640), np.linspace(0, 200, 640))
    noise = np.random.default_rng(0).integers(0, 30, (640, 640, 3))
    pixels = (np.stack([x, y, 200 - x], axis=2) + noise).astype(np.uint8)
    data = png(pixels)
    assert len(data) > LARGEST_PNG
    kind, _, text = data_uri(data).partition(",")
    assert kind == "data:image/webp;base64"
    webp = base64.b64decode(text)
    assert len(webp) < len(data) / 2
    shown = np.asarray(Image.open(io.BytesIO(webp)).convert("RGB"), float)
    assert np.abs(shown - pixels).mean() < 10


def test_the_size_is_width_and_then_height():
    assert pixel_size(png(np.zeros((3, 5, 3), np.uint8))) == (5, 3)


def test_what_is_no_png_is_a_users_mistake():
    with pytest.raises(UserError, match="must be a PNG"):
        pixel_size(b"GIF89a")
