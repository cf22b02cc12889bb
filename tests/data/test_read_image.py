"""Tests of reading images with Pillow, whose pixels equal those of the graph."""

from __future__ import annotations

import io
import logging
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfretrieval.data.decode import decode_and_resize
from tfretrieval.data.read_image import BrokenImageError, read_image, read_thumbnail, report_broken_images
from tfretrieval.errors import UserError

RNG = np.random.default_rng(0)


def image(mode: str = "RGB", height: int = 200, width: int = 300) -> Image.Image:
    coarse = Image.fromarray(RNG.integers(0, 256, (8, 12, 3), np.uint8))
    image = coarse.resize((width, height), Image.Resampling.BICUBIC).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(RNG.integers(0, 256, (height, width), np.uint8)))
    return image


def assert_equal_pixels(path, size: int, resize_mode: str = "crop") -> None:
    graph = decode_and_resize(tf.io.read_file(str(path)), size, resize_mode).numpy()
    assert graph.shape == (size, size, 3)
    np.testing.assert_array_equal(read_image(path, size, resize_mode), graph)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "RGBA", "LA"])
def test_png_of_any_mode_equals_the_graph(mode, tmp_path):
    image(mode).save(tmp_path / "a.png")
    assert_equal_pixels(tmp_path / "a.png", 64)


def test_16_bit_png_equals_the_graph(tmp_path):
    Image.fromarray((np.arange(600, dtype=np.uint16) * 100).reshape(20, 30)).save(tmp_path / "a.png")
    assert_equal_pixels(tmp_path / "a.png", 20)


def test_transparent_palette_equals_the_graph(tmp_path):
    image("P").save(tmp_path / "a.png", transparency=3)
    assert_equal_pixels(tmp_path / "a.png", 64)


@pytest.mark.parametrize("form", ["BMP", "GIF"])
def test_other_formats_equal_the_graph(form, tmp_path):
    image().save(tmp_path / "a", form)
    assert_equal_pixels(tmp_path / "a", 64)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", [8, 16, 30, 64, 240])
def test_jpeg_of_any_size_equals_the_graph(mode, size, tmp_path):
    image(mode).save(tmp_path / "a.jpg", quality=92)
    assert_equal_pixels(tmp_path / "a.jpg", size)


@pytest.mark.parametrize("resize_mode", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("shape", [(201, 90), (90, 201), (100, 100)])
def test_every_resize_mode_equals_the_graph(resize_mode, shape, tmp_path):
    image("RGB", *shape).save(tmp_path / "a.jpg", quality=92)
    assert_equal_pixels(tmp_path / "a.jpg", 50, resize_mode)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_equals_the_graph(orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image().save(tmp_path / "a.jpg", exif=exif)
    assert_equal_pixels(tmp_path / "a.jpg", 48)


@pytest.mark.parametrize("orientation", [1, 6])
def test_mpo_equals_the_graph(orientation, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image().save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[image()], exif=exif)
    with Image.open(tmp_path / "a.jpg") as file:
        assert file.format == "MPO"
    assert_equal_pixels(tmp_path / "a.jpg", 48)


@pytest.mark.parametrize(("mode", "size", "shape"), [("RGB", (300, 200), (60, 90, 3)), ("LA", (30, 20), (20, 30, 3))])
def test_thumbnail_keeps_the_aspect_ratio_and_is_not_enlarged(mode, size, shape, tmp_path):
    image("RGB", size[1], size[0]).convert(mode).save(tmp_path / "a.png")
    assert read_thumbnail(tmp_path / "a.png", 90).shape == shape


def test_thumbnail_has_the_exif_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image().save(tmp_path / "a.jpg", exif=exif)
    assert read_thumbnail(tmp_path / "a.jpg", 60).shape == (60, 40, 3)


def test_truncated_thumbnail_is_an_error(tmp_path):
    image().save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:-300])
    with pytest.raises(BrokenImageError):
        read_thumbnail(tmp_path / "a.png", 60)


def test_scaled_decoding_is_close_to_resizing_the_full_image(tmp_path):
    image("RGB", 1200, 1600).save(tmp_path / "a.jpg", quality=95)
    full = Image.open(tmp_path / "a.jpg").crop((200, 0, 1400, 1200)).resize((48, 48), Image.Resampling.BILINEAR)
    assert np.abs(read_image(tmp_path / "a.jpg", 48).astype(int) - np.asarray(full)).max() <= 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"no image", "not a JPEG")],
)
def test_file_without_an_image_is_an_error(content, reason, tmp_path):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(BrokenImageError, match=reason):
        read_image(tmp_path / "a.jpg", 8)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "GIF"])
def test_truncated_image_is_an_error(form, tmp_path):
    image().save(tmp_path / "a", form)
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:-300])
    with pytest.raises(BrokenImageError):
        read_image(tmp_path / "a", 8)


def test_missing_file_or_folder_is_an_error(tmp_path):
    with pytest.raises(BrokenImageError, match="No such file"):
        read_image(tmp_path / "a.jpg", 8)
    with pytest.raises(BrokenImageError):
        read_image(tmp_path, 8)


def with_header_size(side: int, form: str) -> bytes:
    """A small file whose header gives another width and height."""
    file = io.BytesIO()
    Image.new("P" if form == "GIF" else "RGB", (8, 8)).save(file, form)
    content = bytearray(file.getvalue())
    if form == "PNG":
        content[16:24] = struct.pack(">II", side, side)
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    elif form == "GIF":
        content[6:10] = struct.pack("<HH", side, side)
        frame = content.index(b",\0\0\0\0\x08\0\x08\0") + 5
        content[frame : frame + 4] = struct.pack("<HH", side, side)
    else:
        start = content.index(b"\xff\xc0") + 5
        content[start : start + 4] = struct.pack(">HH", side, side)
    return bytes(content)


@pytest.mark.parametrize("form", ["PNG", "GIF", "JPEG"])
def test_huge_image_is_an_error_before_decoding(form, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(with_header_size(20_000, form))
    with pytest.raises(BrokenImageError, match="178 million pixels"):
        read_image(path, 8)
    with pytest.raises(tf.errors.InvalidArgumentError, match="178 million pixels"):
        decode_and_resize(tf.io.read_file(str(path)), 8)
    path.write_bytes(with_header_size(8, form))
    assert_equal_pixels(path, 8)


def test_unsupported_format_is_an_error(tmp_path):
    image().save(tmp_path / "a.tiff")
    with pytest.raises(BrokenImageError, match="not a JPEG"):
        read_image(tmp_path / "a.tiff", 8)


@pytest.mark.real
@pytest.mark.parametrize("size", [64, 224])
def test_photographs_equal_the_graph(mit_split, size):
    for path in sorted((mit_split / "test").rglob("*.jpg"))[::80]:
        assert_equal_pixels(path, size)


BROKEN = {f"{number}.jpg": "the file is empty" for number in range(5)}


def test_skipped_files_are_logged(caplog):
    with caplog.at_level(logging.WARNING, logger="tfretrieval"):
        report_broken_images(BROKEN, "skip", all_broken=False)
    assert len(caplog.records) == 5
    assert "4.jpg (the file is empty)" in caplog.text


@pytest.mark.parametrize(("on_error", "all_broken"), [("fail", False), ("fail", True), ("skip", True)])
def test_unreadable_files_are_an_error_that_names_three_of_them(on_error, all_broken):
    with pytest.raises(UserError, match=r"0\.jpg.*2\.jpg.*and 2 more"):
        report_broken_images(BROKEN, on_error, all_broken)
