"""Random augmentation of images in the graph."""

import tensorflow as tf

AUGMENTATIONS = ("none", "flip", "standard")


def augment(
    images: tf.Tensor,
    key: tf.Tensor,
    kind: str,
    positions: tf.Tensor | None = None,
    batch_size: int | tf.Tensor | None = None,
) -> tf.Tensor:
    """Augment each image independently; shape and dtype do not change.

    Args:
        images: uint8 [m, h, w, 3].
        key: random key of the batch, int64 [2].
        kind: "none"; "flip", a horizontal flip with probability 1/2; "standard", a flip, a random crop of 70 to 100 %
            of each side, and brightness and contrast changed by up to 15 %.
        positions: positions of the images in the whole batch, int64 [m]; each image is augmented as it would be there.
            None if the images are the whole batch.
        batch_size: number of images in the whole batch, with `positions`.
    """
    if kind == "none":
        return images
    if kind not in AUGMENTATIONS:
        raise ValueError(f"augment must be one of {', '.join(AUGMENTATIONS)}, not {kind!r}")
    keys = tf.unstack(tf.random.experimental.stateless_split(key, 5))
    n = tf.shape(images)[0]

    def uniform(shape: list[int], key: tf.Tensor, low: float = 0.0, high: float = 1.0) -> tf.Tensor:
        if positions is None:
            return tf.random.stateless_uniform([n, *shape], key, low, high)
        return tf.gather(tf.random.stateless_uniform([batch_size, *shape], key, low, high), positions)

    is_flipped = uniform([], keys[0]) < 0.5
    if kind == "flip":
        rows = tf.reshape(images, [-1, tf.shape(images)[2], 3])  # TensorFlow reverses three-dimensional tensors fastest
        both = tf.concat([images, tf.reshape(tf.reverse(rows, [1]), tf.shape(images))], axis=0)
        return tf.ensure_shape(tf.gather(both, tf.range(n) + n * tf.cast(is_flipped, tf.int32)), images.shape)
    side = uniform([1], keys[1], 0.7, 1.0)
    top, left = tf.split(uniform([2], keys[2]) * (1.0 - side), 2, axis=1)
    right, is_flipped = left + side, is_flipped[:, None]
    # a box with exchanged left and right sides is cropped and flipped
    sides = [tf.where(is_flipped, 1.0 - left, left), tf.where(is_flipped, 1.0 - right, right)]
    boxes = tf.concat([top, sides[0], top + side, sides[1]], axis=1)
    # crop_and_resize reads each pixel four times, so it is cast once before
    cropped = tf.image.crop_and_resize(tf.cast(images, tf.float32), boxes, tf.range(n), tf.shape(images)[1:3])
    mean = tf.reduce_mean(cropped, axis=[1, 2, 3], keepdims=True)
    contrast = uniform([1, 1, 1], keys[3], 0.85, 1.15)
    brightness = uniform([1, 1, 1], keys[4], 0.85, 1.15)
    adjusted = cropped * (contrast * brightness) + (mean * (1.0 - contrast) * brightness + 0.5)
    return tf.cast(tf.raw_ops.ClipByValue(t=adjusted, clip_value_min=0.0, clip_value_max=255.0), tf.uint8)
