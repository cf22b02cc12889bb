"""From a file's bytes to pixels, in the TensorFlow graph: the same function trains, embeds and is exported."""

from __future__ import annotations

import functools

import tensorflow as tf

from tfretrieval.data.read_image import MOST_PIXELS, ROOM, TOO_LARGE
from tfretrieval.data.resample import resample

FITS = ("crop", "pad", "stretch")
DIVISORS = (8, 4, 2)  # by which a JPEG can be scaled down while it is decoded
_EXIF_REACH = 1 << 16
_EXIF_START = 4096
_ORIENTATION_TAG = 0x0112


def decode_and_resize(content: tf.Tensor, size: int, fit: str = "crop") -> tf.Tensor:
    """Decode one image file and bring it to `size` x `size`: a bytes scalar -> uint8 [size, size, 3].

    Args:
        content: the bytes of a JPEG, PNG, BMP or GIF file, and of WebP where this TensorFlow reads it.
        size: the side in pixels.
        fit: "crop" keeps the largest central square, "pad" adds black borders, "stretch" does neither.

    Raises:
        tf.errors.InvalidArgumentError: the bytes are not a whole image.
    """
    return resize(decode(content, least=ROOM * size), size, fit)


def decode(content: tf.Tensor, least: int | None = None) -> tf.Tensor:
    """Decode one image file: a bytes scalar -> uint8 [h, w, 3], RGB, upright by its EXIF orientation.

    With `least`, a JPEG is scaled down to a half, a quarter or an eighth as it is decoded, as far as its shorter side
    keeps `least` pixels. Gray becomes RGB, transparency is laid on white, 16 bits become 8, an animation gives its
    first frame. JPEG is decoded by the accurate transform, so that pixels are those of Pillow; TensorFlow's default is
    off by 1 or 2.

    Raises:
        tf.errors.InvalidArgumentError: the bytes are not a whole image, or one of more than `MOST_PIXELS`.
    """
    is_jpeg = tf.io.is_jpeg(content)
    pixels = tf.cond(is_jpeg, lambda: _pixels_of_jpeg(content), lambda: _pixels_of_others(content))
    with tf.control_dependencies([tf.debugging.Assert(pixels <= MOST_PIXELS, [TOO_LARGE])]):
        content = tf.identity(content)
    image = tf.cond(
        is_jpeg,
        lambda: _decode_jpeg(content, least),
        lambda: tf.io.decode_image(content, expand_animations=False),
    )
    return _upright(_as_rgb(image), exif_orientation(content))


def resize(image: tf.Tensor, size: int, fit: str = "crop") -> tf.Tensor:
    """Bring uint8 [h, w, 3] to uint8 [size, size, 3] with an antialiased bilinear filter, that of Pillow."""
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    if fit == "crop":
        side = tf.minimum(height, width)
        image = tf.image.crop_to_bounding_box(image, (height - side) // 2, (width - side) // 2, side, side)
    elif fit == "pad":
        side = tf.maximum(height, width)
        image = tf.image.pad_to_bounding_box(image, (side - height) // 2, (side - width) // 2, side, side)
    elif fit != "stretch":
        raise ValueError(f"fit must be one of {', '.join(FITS)}, not {fit!r}")
    return tf.ensure_shape(resample(image, size), [size, size, 3])


def exif_orientation(content: tf.Tensor) -> tf.Tensor:
    """The EXIF orientation of a JPEG file's bytes: an int32 scalar 1..8, 1 where there is none.

    The marker is looked for in the first 4 KiB and its directory in the first 64 KiB, where cameras put them.
    Source: CIPA DC-008, Exif 2.32, sections 4.5 to 4.6.
    """
    head = tf.strings.substr(content, 0, _EXIF_REACH)
    found = _exif_positions(_integers(tf.strings.substr(content, 0, _EXIF_START)))
    return tf.cond(
        tf.size(found) > 0,
        lambda: _read_orientation(_integers(head), found[0] + 10),
        lambda: tf.constant(1),
    )


def _pixels_of_jpeg(content: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(tf.cast(tf.image.extract_jpeg_shape(content)[:2], tf.int64))


def _pixels_of_others(content: tf.Tensor) -> tf.Tensor:
    """Width times height by the head of a PNG or a GIF, whose few bytes may stand for any number; else 0."""
    head = tf.cast(_integers(tf.strings.substr(content, 0, 24)), tf.int64)
    head = tf.pad(head, [[0, 24 - tf.size(head)]])
    by_256 = tf.constant([1 << 24, 1 << 16, 1 << 8, 1], tf.int64)
    png = tf.reduce_sum(head[16:20] * by_256) * tf.reduce_sum(head[20:24] * by_256)
    gif = (head[6] + 256 * head[7]) * (head[8] + 256 * head[9])
    first = tf.strings.substr(content, 0, 4)
    zero = tf.zeros([], tf.int64)
    return tf.where(first == b"\x89PNG", png, tf.where(first == b"GIF8", gif, zero))


def _decode_jpeg(content: tf.Tensor, least: int | None) -> tf.Tensor:
    def divided_by(divisor: int) -> tf.Tensor:
        return tf.io.decode_jpeg(content, ratio=divisor, dct_method="INTEGER_ACCURATE")

    if least is None:
        return divided_by(1)
    room = tf.reduce_min(tf.image.extract_jpeg_shape(content)[:2]) // least
    allowed = tf.reduce_sum(tf.cast(room >= tf.constant(DIVISORS), tf.int32))
    return tf.switch_case(allowed, [functools.partial(divided_by, divisor) for divisor in (1, *reversed(DIVISORS))])


def _as_rgb(image: tf.Tensor) -> tf.Tensor:
    """uint8 [h, w, 1 to 4] (gray, gray and alpha, RGB, RGB and alpha) -> uint8 [h, w, 3]."""
    channels = tf.shape(image)[2]

    def laid_on_white() -> tf.Tensor:
        alpha = tf.cast(image[..., -1:], tf.float32) / 255.0
        color = tf.cast(image[..., :-1], tf.float32)
        flat = tf.cast(tf.round(color * alpha + 255.0 * (1.0 - alpha)), tf.uint8)
        return tf.cond(channels == 2, lambda: tf.tile(flat, [1, 1, 3]), lambda: flat)

    rgb = tf.switch_case(
        channels - 1,
        [lambda: tf.tile(image, [1, 1, 3]), laid_on_white, lambda: image, laid_on_white],
    )
    return tf.ensure_shape(rgb, [None, None, 3])


def _upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Undo an EXIF orientation: 5..8 are transposed first, then each may be mirrored either way."""

    def among(*values: int) -> tf.Tensor:
        return tf.reduce_any(tf.equal(orientation, tf.constant(values)))

    image = tf.cond(among(5, 6, 7, 8), lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    image = tf.cond(among(2, 3, 6, 7), lambda: image[:, ::-1], lambda: image)
    image = tf.cond(among(3, 4, 7, 8), lambda: image[::-1], lambda: image)
    return tf.ensure_shape(image, [None, None, 3])


def _integers(content: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(content, tf.uint8), tf.int32)


def _exif_positions(data: tf.Tensor) -> tf.Tensor:
    """Where an APP1 segment with an Exif header starts in a JPEG: int32 [0 or more]."""
    padded = tf.pad(data, [[0, 10]])
    n = tf.size(data)
    is_start = tf.fill([n], tf.logical_and(padded[0] == 0xFF, padded[1] == 0xD8))
    for offset, value in ((0, 0xFF), (1, 0xE1), (4, 0x45), (5, 0x78), (6, 0x69), (7, 0x66), (8, 0), (9, 0)):
        is_start &= padded[offset : offset + n] == value
    return tf.cast(tf.where(is_start)[:, 0], tf.int32)


def _read_orientation(data: tf.Tensor, tiff: tf.Tensor) -> tf.Tensor:
    """Find the orientation among the entries of the first directory of a TIFF header at `tiff`."""
    data = tf.pad(data, [[0, 1]])
    last = tf.size(data) - 1
    little_endian = tf.gather(data, tf.minimum(tiff, last)) == 0x49

    def number(position: tf.Tensor, width: int) -> tf.Tensor:
        """Unsigned integers of `width` bytes; what lies behind the end reads as 0."""
        offsets = tf.range(width)
        places = tf.expand_dims(position, -1) + offsets
        octets = tf.gather(data, tf.clip_by_value(places, 0, last))
        weights = tf.where(little_endian, 256**offsets, 256 ** (width - 1 - offsets))
        return tf.reduce_sum(octets * weights, axis=-1)

    directory = tiff + tf.clip_by_value(number(tiff + 4, 4), 0, _EXIF_REACH)
    n_entries = tf.minimum(number(directory, 2), 512)
    entries = directory + 2 + 12 * tf.range(n_entries)
    values = tf.boolean_mask(number(entries + 8, 2), number(entries, 2) == _ORIENTATION_TAG)
    value = tf.reduce_max(tf.concat([[0], values], axis=0))
    return tf.where((value >= 1) & (value <= 8), value, 1)
