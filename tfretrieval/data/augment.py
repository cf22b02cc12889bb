"""Random changes of pictures in the graph, keyed like the draws of `sampling`."""

from __future__ import annotations

import tensorflow as tf

AUGMENTATIONS = ("none", "flip", "standard")


def augment(images: tf.Tensor, seed: tf.Tensor, kind: str) -> tf.Tensor:
    """Change each picture of uint8 [b, h, w, 3] in its own way; the result has the same shape and dtype.

    Args:
        images: uint8 [b, h, w, 3].
        seed: int64 [2].
        kind: "none"; "flip", mirrored left to right by a fair coin; "standard", that and a random crop of 70 to
            100 % of each side, brightness +-15 % and contrast +-15 %.
    """
    if kind == "none":
        return images
    if kind not in AUGMENTATIONS:
        raise ValueError(f"augment must be one of {', '.join(AUGMENTATIONS)}, not {kind!r}")
    keys = tf.unstack(tf.random.experimental.stateless_split(seed, 5))
    n = tf.shape(images)[0]
    heads = tf.random.stateless_uniform([n], keys[0]) < 0.5
    if kind == "flip":
        both = tf.concat([images, tf.reverse(images, [2])], axis=0)
        return tf.ensure_shape(tf.gather(both, tf.range(n) + n * tf.cast(heads, tf.int32)), images.shape)
    side = tf.random.stateless_uniform([n, 1], keys[1], 0.7, 1.0)
    top, left = tf.split(tf.random.stateless_uniform([n, 2], keys[2]) * (1.0 - side), 2, axis=1)
    right, mirrored = left + side, heads[:, None]
    # a box whose sides are exchanged comes out mirrored
    ends = [tf.where(mirrored, 1.0 - left, left), tf.where(mirrored, 1.0 - right, right)]
    boxes = tf.concat([top, ends[0], top + side, ends[1]], axis=1)
    cropped = tf.image.crop_and_resize(images, boxes, tf.range(n), tf.shape(images)[1:3])
    mean = tf.reduce_mean(cropped, axis=[1, 2, 3], keepdims=True)
    contrast = tf.random.stateless_uniform([n, 1, 1, 1], keys[3], 0.85, 1.15)
    brightness = tf.random.stateless_uniform([n, 1, 1, 1], keys[4], 0.85, 1.15)
    changed = cropped * (contrast * brightness) + mean * (1.0 - contrast) * brightness
    return tf.cast(tf.clip_by_value(tf.round(changed), 0, 255), tf.uint8)
