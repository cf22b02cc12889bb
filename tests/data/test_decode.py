"""Tests of decoding in the graph, against Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from tfretrieval.data.decode import decode, decode_and_resize, exif_orientation, resize

RNG = np.random.default_rng(0)


def smooth(height: int = 40, width: int = 60) -> Image.Image:
    """An image without sharp edges, on which JPEG decoders differ little."""
    coarse = Image.fromarray(RNG.integers(0, 256, (4, 6, 3), np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def pixels(content: bytes) -> np.ndarray:
    return decode(tf.constant(content), min_side=1 << 16).numpy()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "RGBA", "LA"])
def test_png_of_any_mode_is_converted_to_rgb(mode):
    image = smooth().convert(mode)
    np.testing.assert_array_equal(pixels(encoded(image, "PNG")), np.asarray(image.convert("RGB")))


def test_transparency_is_blended_with_white():
    image = smooth().convert("RGBA")
    image.putalpha(Image.fromarray(RNG.integers(0, 256, (40, 60), np.uint8)))
    white = Image.new("RGBA", image.size, "white")
    expected = np.asarray(Image.alpha_composite(white, image).convert("RGB"), int)
    assert np.abs(pixels(encoded(image, "PNG")) - expected).max() <= 1
    gray = Image.merge("LA", (Image.new("L", (4, 4), 0), Image.new("L", (4, 4), 0)))
    assert (pixels(encoded(gray, "PNG")) == 255).all()


def test_16_bits_are_reduced_to_8():
    image = Image.fromarray((np.arange(600, dtype=np.uint16) * 100).reshape(20, 30))
    values = pixels(encoded(image, "PNG"))
    assert np.abs(values[..., 0] - np.asarray(image) / 257).max() <= 1
    assert (values[..., 0] == values[..., 2]).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_of_any_mode_agrees_with_pillow(mode, progressive):
    content = encoded(smooth().convert(mode), "JPEG", quality=95, progressive=progressive)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), int)
    assert np.abs(pixels(content) - expected).max() <= 1


def test_bmp_and_the_first_frame_of_a_gif_are_decoded():
    image = smooth()
    np.testing.assert_array_equal(pixels(encoded(image, "BMP")), np.asarray(image))
    frames = [Image.new("P", (6, 4), color) for color in (0, 1)]
    for frame in frames:
        frame.putpalette([255, 0, 0, 0, 0, 255])
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (pixels(content) == [255, 0, 0]).all()


@pytest.mark.skipif(not hasattr(tf.io, "decode_webp"), reason="this TensorFlow does not read WebP")
def test_webp_is_decoded():
    image = smooth()
    np.testing.assert_array_equal(pixels(encoded(image, "WEBP", lossless=True)), np.asarray(image))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("big_endian", [False, True])
def test_every_exif_orientation_agrees_with_pillow(orientation, big_endian):
    exif = Image.Exif()
    exif.endian = ">" if big_endian else "<"
    exif[0x010F] = "A long maker name, which moves the entry"
    exif[0x0112] = orientation
    content = encoded(smooth(), "JPEG", exif=exif, quality=95)
    assert int(exif_orientation(tf.constant(content))) == orientation
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    assert pixels(content).shape == expected.shape
    np.testing.assert_array_equal(pixels(content), expected)


@pytest.mark.parametrize("damage", ["no directory", "huge offset", "value 9"])
def test_damaged_exif_header_has_orientation_1(damage):
    exif = Image.Exif()
    exif[0x0112] = 9 if damage == "value 9" else 6
    content = bytearray(encoded(smooth(), "JPEG", exif=exif))
    tiff = content.index(b"Exif\0\0") + 6
    if damage == "no directory":
        content[tiff + 8 : tiff + 10] = b"\0\0"
    elif damage == "huge offset":
        content[tiff + 4 : tiff + 8] = b"\xff\xff\xff\xff"
    assert int(exif_orientation(tf.constant(bytes(content)))) == 1


@pytest.mark.parametrize("content", [b"", b"Exif\0\0", b"\xff\xd8\xff\xe1", b"\xff\xd8" + b"\xff\xe1\0\0Exif\0\0" * 3])
def test_bytes_without_an_image_have_orientation_1(content):
    assert int(exif_orientation(tf.constant(content))) == 1


@pytest.mark.parametrize("content", [b"", b"hello", encoded(smooth(), "JPEG")[:-200], encoded(smooth(), "PNG")[:-200]])
def test_truncated_image_is_an_error(content):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(tf.constant(content), min_side=1)


@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (33, 33), (1, 50)])
def test_crop_keeps_the_central_square_and_pad_adds_black(shape):
    image = RNG.integers(1, 256, (*shape, 3), np.uint8)
    side, longer = min(shape), max(shape)
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    np.testing.assert_array_equal(resize(image, side, "crop"), image[top : top + side, left : left + side])
    padded = resize(image, longer, "pad").numpy()
    top, left = (longer - shape[0]) // 2, (longer - shape[1]) // 2
    np.testing.assert_array_equal(padded[top : top + shape[0], left : left + shape[1]], image)
    assert (padded.sum(axis=2) > 0).sum() == shape[0] * shape[1]
    assert resize(image, 8, "stretch").shape == (8, 8, 3)


def test_downscaling_is_antialiased():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    small = resize(stripes, 16).numpy().astype(int)
    assert np.abs(small - 127).max() <= 10


def test_unknown_resize_mode_is_an_error():
    with pytest.raises(ValueError, match="squash"):
        resize(np.zeros((4, 4, 3), np.uint8), 2, "squash")


def test_decoding_works_in_a_dataset():
    contents = tf.constant([encoded(smooth(), "JPEG"), encoded(smooth().convert("LA"), "PNG")])
    dataset = tf.data.Dataset.from_tensor_slices(contents).map(lambda content: decode_and_resize(content, 16))
    batch = next(iter(dataset.batch(2)))
    assert batch.shape == (2, 16, 16, 3)
    np.testing.assert_array_equal(batch[0], decode_and_resize(contents[0], 16))


@pytest.mark.real
def test_photographs_agree_with_pillow(mit_split):
    for path in sorted((mit_split / "test").rglob("*.jpg"))[::80]:
        np.testing.assert_array_equal(pixels(path.read_bytes()), Image.open(path).convert("RGB"), path.name)
