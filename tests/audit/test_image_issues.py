"""Unusual images are told apart by their heads and by their pixels."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tfretrieval.audit.image_issues import ODDITIES, SUFFIXES, oddities_of_file, oddities_of_pixels
from tfretrieval.data.read_image import FORMATS
from tfretrieval.data.sources import IMAGE_SUFFIXES

RGB = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))


def file_of(image: Image.Image, form: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png_of_16_bits_in_color() -> bytes:
    """Pillow writes none: the head of one says it."""
    content = bytearray(file_of(RGB))
    content[24] = 16
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (file_of(RGB), []),
        (file_of(RGB, "JPEG"), []),
        (file_of(RGB.convert("L")), ["gray"]),
        (file_of(RGB.convert("1")), ["gray"]),
        (file_of(RGB.convert("P")), []),
        (file_of(RGB.convert("RGBA")), ["alpha"]),
        (file_of(RGB.convert("LA")), ["gray", "alpha"]),
        (file_of(RGB.convert("P"), transparency=3), ["alpha"]),
        (file_of(Image.new("RGBA", (40, 40), (9, 9, 9, 90)), "WEBP"), ["alpha"]),
        (file_of(RGB.convert("CMYK"), "JPEG"), ["CMYK"]),
        (file_of(Image.fromarray(np.full((40, 40), 9, np.uint16))), ["gray", "16 bit"]),
        (file_of(RGB, "JPEG", exif=turned(6)), ["rotated"]),
        (file_of(RGB, "JPEG", exif=turned(1)), []),
        (file_of(RGB, "JPEG", exif=turned(99)), []),
        (file_of(RGB, "PNG", exif=turned(3)), ["not turned"]),
        (file_of(RGB, "WEBP", exif=turned(3)), ["not turned"]),
        (file_of(RGB, "GIF", save_all=True, append_images=[RGB.rotate(90)]), ["animated"]),
        (file_of(RGB, "JPEG")[:-100], []),
        (file_of(RGB.resize((31, 64))), ["tiny"]),
        (file_of(RGB.resize((32, 96))), []),
        (file_of(RGB.resize((32, 97))), ["long"]),
        (file_of(Image.new("1", (8000, 6400))), ["gray", "huge"]),
        (png_of_16_bits_in_color(), ["16 bit"]),
        (b"", []),
        (b"no image", []),
    ],
)
def test_the_head_of_a_file_says_what_is_odd(content, found):
    assert oddities_of_file(content) == found


def test_a_jpeg_with_a_second_image_is_a_jpeg_and_not_animated():
    content = file_of(RGB, "MPO", save_all=True, append_images=[RGB], exif=turned(6))
    assert oddities_of_file(content, "a.jpg") == ["rotated"]


def test_an_image_beyond_what_pillow_opens_is_huge(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert oddities_of_file(file_of(RGB)) == ["huge"]


@pytest.mark.parametrize(("name", "odd"), [("a.png", False), ("a.PNG", False), ("a.jpg", True), ("a", False)])
def test_a_name_that_promises_another_format(name, odd):
    assert oddities_of_file(file_of(RGB), name) == (["misnamed"] if odd else [])


def test_every_format_and_suffix_that_is_read_is_known():
    assert set(SUFFIXES) == set(FORMATS)
    assert {suffix for several in SUFFIXES.values() for suffix in several} == IMAGE_SUFFIXES


def pixels_of(images):
    images = np.asarray(images, np.uint8)
    return oddities_of_pixels(images, images.mean(axis=-1).round().astype(np.uint8))


def test_pixels_say_what_is_odd():
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3))
    gray = np.repeat(noise[..., :1], 3, axis=-1)
    assert pixels_of([noise, gray, noise // 5, 242 + noise // 20, np.full((8, 8, 3), (9, 99, 200))]) == [
        [],
        ["gray in color"],
        ["dark"],
        ["bright"],
        ["one color"],
    ]


@given(st.binary(max_size=400), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP"]), st.integers(0, 300))
def test_damaged_files_are_never_an_error(noise, form, at):
    content = file_of(RGB, form)
    assert set(oddities_of_file(content[:at] + noise + content[at + len(noise) :], "a.jpg")) <= set(ODDITIES)
