"""Random changes of images in the graph, keyed like the draws of `sampling`."""

from __future__ import annotations

import tensorflow as tf

AUGMENTATIONS = ("none", "flip", "standard")


def augment(
    images: tf.Tensor,
    seed: tf.Tensor,
    kind: str,
    places: tf.Tensor | None = None,
    total: int | tf.Tensor | None = None,
) -> tf.Tensor:
    """Change each image of uint8 [b, h, w, 3] in its own way; the result has the same shape and dtype.

    Args:
        images: uint8 [b, h, w, 3].
        seed: int64 [2].
        kind: "none"; "flip", mirrored left to right by a fair coin; "standard", that and a random crop of 70 to
            100 % of each side, brightness +-15 % and contrast +-15 %.
        places: where these images stand in a batch of `total`, int64 [b]: each is changed as it would be there.
            None: they are the batch.
        total: how many images the batch has.
    """
    if kind == "none":
        return images
    if kind not in AUGMENTATIONS:
        raise ValueError(f"augment must be one of {', '.join(AUGMENTATIONS)}, not {kind!r}")
    keys = tf.unstack(tf.random.experimental.stateless_split(seed, 5))
    n = tf.shape(images)[0]

    def drawn(shape: list[int], key: tf.Tensor, low: float = 0.0, high: float = 1.0) -> tf.Tensor:
        if places is None:
            return tf.random.stateless_uniform([n, *shape], key, low, high)
        return tf.gather(tf.random.stateless_uniform([total, *shape], key, low, high), places)

    heads = drawn([], keys[0]) < 0.5
    if kind == "flip":
        both = tf.concat([images, _mirrored(images)], axis=0)
        return tf.ensure_shape(tf.gather(both, tf.range(n) + n * tf.cast(heads, tf.int32)), images.shape)
    side = drawn([1], keys[1], 0.7, 1.0)
    top, left = tf.split(drawn([2], keys[2]) * (1.0 - side), 2, axis=1)
    right, mirrored = left + side, heads[:, None]
    # a box whose sides are exchanged comes out mirrored
    ends = [tf.where(mirrored, 1.0 - left, left), tf.where(mirrored, 1.0 - right, right)]
    boxes = tf.concat([top, ends[0], top + side, ends[1]], axis=1)
    # of floats, for the operation reads each pixel four times
    cropped = tf.image.crop_and_resize(tf.cast(images, tf.float32), boxes, tf.range(n), tf.shape(images)[1:3])
    mean = tf.reduce_mean(cropped, axis=[1, 2, 3], keepdims=True)
    contrast = drawn([1, 1, 1], keys[3], 0.85, 1.15)
    brightness = drawn([1, 1, 1], keys[4], 0.85, 1.15)
    changed = cropped * (contrast * brightness) + (mean * (1.0 - contrast) * brightness + 0.5)
    return tf.cast(tf.raw_ops.ClipByValue(t=changed, clip_value_min=0.0, clip_value_max=255.0), tf.uint8)


def _mirrored(images: tf.Tensor) -> tf.Tensor:
    """Left to right. TensorFlow mirrors fastest where there are three dimensions."""
    rows = tf.reshape(images, [-1, tf.shape(images)[2], 3])
    return tf.reshape(tf.reverse(rows, [1]), tf.shape(images))
