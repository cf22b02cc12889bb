"""Decoding of uploads, and media types and thumbnails of files."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="the web server is not installed: pip install '.[serve]'")

from starlette.exceptions import HTTPException

from tfretrieval.data.read_image import read_image
from tfretrieval.serve.images import decode_upload, media_type, thumbnail


def encoded(image_format: str = "PNG", size: tuple[int, int] = (40, 20)) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format=image_format)
    return file.getvalue()


@pytest.mark.parametrize("resize_mode", ["crop", "pad"])
def test_an_upload_has_the_pixels_of_the_file(resize_mode, tmp_path):
    (tmp_path / "a.png").write_bytes(encoded())
    expected = read_image(str(tmp_path / "a.png"), 16, resize_mode)
    np.testing.assert_array_equal(decode_upload(encoded(), 16, resize_mode, max_pixels=800), expected)


@pytest.mark.parametrize(
    ("data", "max_pixels", "status"),
    [(encoded(), 799, 413), (b"no image", 10**6, 415), (b"", 10**6, 415), (encoded()[:-200], 10**6, 422)],
)
def test_unusable_uploads_have_a_status(data, max_pixels, status):
    with pytest.raises(HTTPException) as error:
        decode_upload(data, 16, "crop", max_pixels)
    assert error.value.status_code == status


@pytest.mark.parametrize(("image_format", "expected"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_media_type_is_that_of_the_content(image_format, expected, tmp_path):
    (tmp_path / "a.bmp").write_bytes(encoded(image_format))
    assert media_type(str(tmp_path / "a.bmp")) == expected


def test_thumbnail_is_a_jpeg_with_the_aspect_ratio_of_the_image(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded())
    with Image.open(io.BytesIO(thumbnail(str(tmp_path / "a.png"), 10))) as image:
        assert (image.format, image.size) == ("JPEG", (10, 5))


@pytest.mark.parametrize("function", [media_type, lambda path: thumbnail(path, 10)])
@pytest.mark.parametrize("content", [None, b"no image"])
def test_missing_and_corrupt_files_are_not_found(function, content, tmp_path):
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(HTTPException) as error:
        function(str(tmp_path / "a.png"))
    assert error.value.status_code == 404
