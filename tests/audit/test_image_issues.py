"""Image issues from file headers and pixels."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tfretrieval.audit.image_issues import IMAGE_ISSUES, file_issues, pixel_issues
from tfretrieval.data.read_image import FORMATS
from tfretrieval.data.sources import IMAGE_SUFFIXES

RGB = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))


def file_of(image: Image.Image, form: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def exif_orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png_of_16_bits_in_color() -> bytes:
    """Pillow cannot write one; the header is patched."""
    content = bytearray(file_of(RGB))
    content[24] = 16
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (file_of(RGB), []),
        (file_of(RGB, "JPEG"), []),
        (file_of(RGB.convert("L")), ["grayscale"]),
        (file_of(RGB.convert("1")), ["grayscale"]),
        (file_of(RGB.convert("P")), []),
        (file_of(RGB.convert("RGBA")), ["alpha"]),
        (file_of(RGB.convert("LA")), ["grayscale", "alpha"]),
        (file_of(RGB.convert("P"), transparency=3), ["alpha"]),
        (file_of(Image.new("RGBA", (40, 40), (9, 9, 9, 90)), "WEBP"), ["alpha"]),
        (file_of(RGB.convert("CMYK"), "JPEG"), ["cmyk"]),
        (file_of(Image.fromarray(np.full((40, 40), 9, np.uint16))), ["grayscale", "16_bit"]),
        (file_of(RGB, "JPEG", exif=exif_orientation(6)), ["exif_rotated"]),
        (file_of(RGB, "JPEG", exif=exif_orientation(1)), []),
        (file_of(RGB, "JPEG", exif=exif_orientation(99)), []),
        (file_of(RGB, "PNG", exif=exif_orientation(3)), ["exif_ignored"]),
        (file_of(RGB, "WEBP", exif=exif_orientation(3)), ["exif_ignored"]),
        (file_of(RGB, "GIF", save_all=True, append_images=[RGB.rotate(90)]), ["animated"]),
        (file_of(RGB, "JPEG")[:-100], []),
        (file_of(RGB.resize((31, 64))), ["small"]),
        (file_of(RGB.resize((32, 96))), []),
        (file_of(RGB.resize((32, 97))), ["aspect_ratio"]),
        (file_of(Image.new("1", (8000, 6400))), ["grayscale", "large"]),
        (png_of_16_bits_in_color(), ["16_bit"]),
        (b"", []),
        (b"no image", []),
    ],
)
def test_issues_of_a_file_header(content, found):
    assert file_issues(io.BytesIO(content)) == found


def test_a_multi_picture_jpeg_is_not_animated():
    content = file_of(RGB, "MPO", save_all=True, append_images=[RGB], exif=exif_orientation(6))
    assert file_issues(io.BytesIO(content), "a.jpg") == ["exif_rotated"]


def test_an_image_beyond_the_limit_of_pillow_is_large(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert file_issues(io.BytesIO(file_of(RGB))) == ["large"]


@pytest.mark.parametrize(
    ("name", "is_wrong"), [("a.png", False), ("a.PNG", False), ("a.jpg", True), ("a", False), ("a.txt", False)]
)
def test_a_suffix_of_another_format(name, is_wrong):
    assert file_issues(io.BytesIO(file_of(RGB)), name) == (["wrong_suffix"] if is_wrong else [])


def test_the_suffixes_of_images_are_those_of_readable_formats():
    assert {Image.registered_extensions()[suffix] for suffix in IMAGE_SUFFIXES} == set(FORMATS)


def pixels_of(images):
    images = np.asarray(images, np.uint8)
    return pixel_issues(images, images.mean(axis=-1).round().astype(np.uint8))


def test_issues_of_pixels():
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3))
    gray = np.repeat(noise[..., :1], 3, axis=-1)
    assert pixels_of([noise, gray, noise // 5, 242 + noise // 20, np.full((8, 8, 3), (9, 99, 200))]) == [
        [],
        ["grayscale_pixels"],
        ["dark"],
        ["bright"],
        ["single_color"],
    ]


@given(st.binary(max_size=400), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP"]), st.integers(0, 300))
def test_corrupt_files_do_not_raise(noise, form, at):
    content = file_of(RGB, form)
    damaged = io.BytesIO(content[:at] + noise + content[at + len(noise) :])
    assert set(file_issues(damaged, "a.jpg")) <= set(IMAGE_ISSUES)
