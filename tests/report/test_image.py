import base64
import io

import numpy as np
import pytest
from PIL import Image

from tfretrieval.errors import UserError
from tfretrieval.report.image import LARGEST_PNG, LARGEST_SVG, data_uri, lightest, pixels_uri, shown_size


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def test_a_small_image_stays_as_it_is():
    data = png(np.zeros((3, 5, 3), np.uint8))
    kind, _, text = data_uri(data).partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(text) == data


def test_a_large_image_becomes_smaller_and_looks_the_same():
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


def test_a_drawing_stays_as_it_is():
    svg = b'<?xml version="1.0"?>\n<svg xmlns="x" width="72pt" height="144.5pt" viewBox="0 0 1 1"></svg>'
    kind, _, text = data_uri(svg).partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(text) == svg
    assert shown_size(svg) == (96, 193)


def test_pixels_come_back_as_they_look():
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:, 15:] = (250, 200, 10)
    kind, _, text = pixels_uri(pixels).partition(",")
    assert kind == "data:image/webp;base64"
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"), float)
    assert shown.shape == pixels.shape
    assert np.abs(shown - pixels).mean() < 10


def test_the_svg_is_lightest_where_it_is_there_and_small(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"png")
    assert lightest(path) == path
    path.with_suffix(".svg").write_bytes(b"x" * LARGEST_SVG)
    assert lightest(path) == tmp_path / "a.svg"
    path.with_suffix(".svg").write_bytes(b"x" * (LARGEST_SVG + 1))
    assert lightest(path) == path


def test_the_size_is_width_and_then_height_in_pixels_of_a_page():
    assert shown_size(png(np.zeros((300, 150, 3), np.uint8))) == (96, 192)


@pytest.mark.parametrize("data", [b"GIF89a", b"", b"<svg></svg>", b"\x89PNG\r\n\x1a\n"])
def test_what_is_neither_is_a_users_mistake(data):
    for use in (shown_size, data_uri):
        with pytest.raises(UserError, match="must be a PNG, or an SVG"):
            use(data)
