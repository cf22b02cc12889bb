import base64
import io

import numpy as np
from PIL import Image

from tfretrieval.report.image import MAX_PNG_BYTES, MAX_SVG_BYTES, data_uri, page_size, pixels_uri, smaller_format


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def test_a_small_png_is_embedded_unchanged():
    data = png(np.zeros((3, 5, 3), np.uint8))
    kind, _, text = data_uri(data).partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(text) == data


def test_a_large_png_becomes_webp_with_similar_pixels():
    x, y = np.meshgrid(np.linspace(0, 200, 640), np.linspace(0, 200, 640))
    noise = np.random.default_rng(0).integers(0, 30, (640, 640, 3))
    pixels = (np.stack([x, y, 200 - x], axis=2) + noise).astype(np.uint8)
    data = png(pixels)
    assert len(data) > MAX_PNG_BYTES
    kind, _, text = data_uri(data).partition(",")
    assert kind == "data:image/webp;base64"
    webp = base64.b64decode(text)
    assert len(webp) < len(data) / 2
    shown = np.asarray(Image.open(io.BytesIO(webp)).convert("RGB"), float)
    assert np.abs(shown - pixels).mean() < 10


def test_an_svg_is_embedded_unchanged():
    svg = b'<?xml version="1.0"?>\n<svg xmlns="x" width="72pt" height="144.5pt" viewBox="0 0 1 1"></svg>'
    kind, _, text = data_uri(svg).partition(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(text) == svg
    assert page_size(svg) == (96, 193)


def test_pixels_survive_encoding():
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:, 15:] = (250, 200, 10)
    kind, _, text = pixels_uri(pixels).partition(",")
    assert kind == "data:image/webp;base64"
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"), float)
    assert shown.shape == pixels.shape
    assert np.abs(shown - pixels).mean() < 10


def test_an_svg_is_preferred_up_to_its_size_limit(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"png")
    assert smaller_format(path) == path
    path.with_suffix(".svg").write_bytes(b"x" * MAX_SVG_BYTES)
    assert smaller_format(path) == tmp_path / "a.svg"
    path.with_suffix(".svg").write_bytes(b"x" * (MAX_SVG_BYTES + 1))
    assert smaller_format(path) == path


def test_page_size_is_width_and_height_at_96_dpi():
    assert page_size(png(np.zeros((300, 150, 3), np.uint8))) == (96, 192)
