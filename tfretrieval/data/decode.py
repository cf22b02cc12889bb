"""Decode and resize images in the TensorFlow graph."""

import functools

import tensorflow as tf

from tfretrieval.data.read_image import JPEG_OVERSAMPLING, MAX_PIXELS, TOO_LARGE
from tfretrieval.data.resample import resample

JPEG_DIVISORS = (8, 4, 2)
_EXIF_BYTES = 1 << 16
_EXIF_START_BYTES = 4096
_ORIENTATION_TAG = 0x0112


def decode_and_resize(content: tf.Tensor, size: int, resize_mode: str = "crop") -> tf.Tensor:
    """Decode an image file and resize it to uint8 [size, size, 3].

    Args:
        content: bytes of a JPEG, PNG, BMP or GIF file, or of WebP if TensorFlow supports it; a string scalar.
        size: side in pixels.
        resize_mode: "crop" keeps the largest central square, "pad" adds black borders, "stretch" changes the
            aspect ratio.

    Raises:
        tf.errors.InvalidArgumentError: the bytes are not a complete image, or have too many pixels.
    """
    return resize(decode(content, min_side=JPEG_OVERSAMPLING * size), size, resize_mode)


def decode(content: tf.Tensor, min_side: int) -> tf.Tensor:
    """Decode an image file to uint8 [h, w, 3], RGB, in its EXIF orientation.

    Gray is converted to RGB, transparency is blended with white, 16 bits are reduced to 8, and of an animation the
    first frame is used. JPEG is decoded with the accurate transform, which gives Pillow's pixels.

    Args:
        content: bytes of the file, a string scalar.
        min_side: scale a JPEG down to 1/2, 1/4 or 1/8 during decoding, while its shorter side keeps at least this
            many pixels.

    Raises:
        tf.errors.InvalidArgumentError: the bytes are not a complete image, or have more than `MAX_PIXELS` pixels.
    """
    is_jpeg = tf.io.is_jpeg(content)
    n_pixels = tf.cond(is_jpeg, lambda: _jpeg_pixels(content), lambda: _header_pixels(content))
    with tf.control_dependencies([tf.debugging.Assert(n_pixels <= MAX_PIXELS, [TOO_LARGE])]):
        content = tf.identity(content)
    image = tf.cond(
        is_jpeg,
        lambda: _decode_jpeg(content, min_side),
        lambda: tf.io.decode_image(content, expand_animations=False),
    )
    return _upright(_as_rgb(image), exif_orientation(content))


def resize(image: tf.Tensor, size: int, resize_mode: str = "crop") -> tf.Tensor:
    """Resize uint8 [h, w, 3] to uint8 [size, size, 3] with Pillow's antialiased bilinear filter."""
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    if resize_mode == "crop":
        side = tf.minimum(height, width)
        image = tf.image.crop_to_bounding_box(image, (height - side) // 2, (width - side) // 2, side, side)
    elif resize_mode == "pad":
        side = tf.maximum(height, width)
        image = tf.image.pad_to_bounding_box(image, (side - height) // 2, (side - width) // 2, side, side)
    elif resize_mode != "stretch":
        raise ValueError(f"resize_mode must be crop, pad or stretch, not {resize_mode!r}")
    return tf.ensure_shape(resample(image, size), [size, size, 3])


def exif_orientation(content: tf.Tensor) -> tf.Tensor:
    """EXIF orientation of a JPEG file, an int32 scalar in 1..8; 1 if there is none.

    The marker is searched in the first 4 KiB and its directory in the first 64 KiB, where cameras write them.
    Source: CIPA DC-008, Exif 2.32, sections 4.5 to 4.6.
    """
    head = tf.strings.substr(content, 0, _EXIF_BYTES)
    starts = _exif_starts(_integers(tf.strings.substr(content, 0, _EXIF_START_BYTES)))
    return tf.cond(
        tf.size(starts) > 0,
        lambda: _read_orientation(_integers(head), starts[0] + 10),
        lambda: tf.constant(1),
    )


def _jpeg_pixels(content: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(tf.cast(tf.image.extract_jpeg_shape(content)[:2], tf.int64))


def _header_pixels(content: tf.Tensor) -> tf.Tensor:
    """Number of pixels in the header of a PNG or GIF, whose small file may decode to a huge image; 0 for others."""
    header = tf.cast(_integers(tf.strings.substr(content, 0, 24)), tf.int64)
    header = tf.pad(header, [[0, 24 - tf.size(header)]])
    big_endian = tf.constant([1 << 24, 1 << 16, 1 << 8, 1], tf.int64)
    png = tf.reduce_sum(header[16:20] * big_endian) * tf.reduce_sum(header[20:24] * big_endian)
    gif = (header[6] + 256 * header[7]) * (header[8] + 256 * header[9])
    signature = tf.strings.substr(content, 0, 4)
    zero = tf.zeros([], tf.int64)
    return tf.where(signature == b"\x89PNG", png, tf.where(signature == b"GIF8", gif, zero))


def _decode_jpeg(content: tf.Tensor, min_side: int) -> tf.Tensor:
    def divided_by(divisor: int) -> tf.Tensor:
        return tf.io.decode_jpeg(content, ratio=divisor, dct_method="INTEGER_ACCURATE")

    ratio = tf.reduce_min(tf.image.extract_jpeg_shape(content)[:2]) // min_side
    branch = tf.reduce_sum(tf.cast(ratio >= tf.constant(JPEG_DIVISORS), tf.int32))
    divisors = (1, *reversed(JPEG_DIVISORS))
    return tf.switch_case(branch, [functools.partial(divided_by, divisor) for divisor in divisors])


def _as_rgb(image: tf.Tensor) -> tf.Tensor:
    """Gray, gray and alpha, RGB or RGBA, uint8 [h, w, 1..4], to RGB, uint8 [h, w, 3]."""
    channels = tf.shape(image)[2]

    def blended_with_white() -> tf.Tensor:
        alpha = tf.cast(image[..., -1:], tf.float32) / 255.0
        color = tf.cast(image[..., :-1], tf.float32)
        flat = tf.cast(tf.round(color * alpha + 255.0 * (1.0 - alpha)), tf.uint8)
        return tf.cond(channels == 2, lambda: tf.tile(flat, [1, 1, 3]), lambda: flat)

    rgb = tf.switch_case(
        channels - 1,
        [lambda: tf.tile(image, [1, 1, 3]), blended_with_white, lambda: image, blended_with_white],
    )
    return tf.ensure_shape(rgb, [None, None, 3])


def _upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Undo an EXIF orientation: transpose 5..8, then flip either axis."""

    def is_one_of(*values: int) -> tf.Tensor:
        return tf.reduce_any(tf.equal(orientation, tf.constant(values)))

    image = tf.cond(is_one_of(5, 6, 7, 8), lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    image = tf.cond(is_one_of(2, 3, 6, 7), lambda: image[:, ::-1], lambda: image)
    image = tf.cond(is_one_of(3, 4, 7, 8), lambda: image[::-1], lambda: image)
    return tf.ensure_shape(image, [None, None, 3])


def _integers(content: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(content, tf.uint8), tf.int32)


def _exif_starts(data: tf.Tensor) -> tf.Tensor:
    """Positions of APP1 segments with an Exif header in a JPEG: int32 [any number]."""
    padded = tf.pad(data, [[0, 10]])
    n = tf.size(data)
    is_start = tf.fill([n], tf.logical_and(padded[0] == 0xFF, padded[1] == 0xD8))
    for offset, value in ((0, 0xFF), (1, 0xE1), (4, 0x45), (5, 0x78), (6, 0x69), (7, 0x66), (8, 0), (9, 0)):
        is_start &= padded[offset : offset + n] == value
    return tf.cast(tf.where(is_start)[:, 0], tf.int32)


def _read_orientation(data: tf.Tensor, tiff: tf.Tensor) -> tf.Tensor:
    """The orientation in the first directory of the TIFF header at position `tiff`."""
    data = tf.pad(data, [[0, 1]])
    last = tf.size(data) - 1
    little_endian = tf.gather(data, tf.minimum(tiff, last)) == 0x49

    def number(position: tf.Tensor, width: int) -> tf.Tensor:
        """Unsigned integers of `width` bytes; bytes past the end are 0."""
        offsets = tf.range(width)
        positions = tf.expand_dims(position, -1) + offsets
        octets = tf.gather(data, tf.clip_by_value(positions, 0, last))
        weights = tf.where(little_endian, 256**offsets, 256 ** (width - 1 - offsets))
        return tf.reduce_sum(octets * weights, axis=-1)

    directory = tiff + tf.clip_by_value(number(tiff + 4, 4), 0, _EXIF_BYTES)
    n_entries = tf.minimum(number(directory, 2), 512)
    entries = directory + 2 + 12 * tf.range(n_entries)
    values = tf.boolean_mask(number(entries + 8, 2), number(entries, 2) == _ORIENTATION_TAG)
    value = tf.reduce_max(tf.concat([[0], values], axis=0))
    return tf.where((value >= 1) & (value <= 8), value, 1)
