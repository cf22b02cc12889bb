"""Pillow's bilinear resampling in the TensorFlow graph, identical to the bit.

Images are resampled horizontally, rounded, then vertically, in integers with 22-bit weights.
Source: Pillow, src/libImaging/Resample.c.
"""

import tensorflow as tf

WEIGHT_BITS = 22


def resample(image: tf.Tensor, size: int) -> tf.Tensor:
    """Resize uint8 [h, w, c] to uint8 [size, size, c] with an antialiased bilinear filter."""
    transposed = _resample_rows(tf.transpose(image, [1, 0, 2]), size)
    return _resample_rows(tf.transpose(transposed, [1, 0, 2]), size)


def _resample_rows(image: tf.Tensor, size: int) -> tf.Tensor:
    """uint8 [n, m, c] -> uint8 [size, m, c]."""
    n = tf.shape(image)[0]
    indices, weights = _taps(n, size)
    indices = tf.minimum(indices, n - 1)  # those past the end have the weight 0

    def add(tap: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = tf.cast(tf.gather(image, indices[:, tap]), tf.int32)
        return tap + 1, total + rows * weights[:, tap, None, None]

    half = tf.fill(tf.concat([[size], tf.shape(image)[1:]], axis=0), 1 << (WEIGHT_BITS - 1))
    n_taps = tf.shape(indices)[1]
    _, total = tf.while_loop(lambda tap, total: tap < n_taps, add, (0, half))
    return tf.cast(tf.bitwise.right_shift(total, WEIGHT_BITS), tf.uint8)


def _taps(n: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Indices into n rows that contribute to each of `size` rows, and their integer weights: int32 [size, taps]."""
    scale = tf.cast(n, tf.float64) / size
    radius = tf.maximum(scale, tf.ones([], tf.float64))
    centers = (tf.range(size, dtype=tf.float64) + 0.5) * scale
    first = tf.maximum(tf.cast(centers - radius + 0.5, tf.int32), 0)
    last = tf.minimum(tf.cast(centers + radius + 0.5, tf.int32), n)
    indices = first[:, None] + tf.range(tf.reduce_max(last - first))
    offsets = (tf.cast(indices, tf.float64) - centers[:, None] + 0.5) * (1.0 / radius)
    weights = tf.where(indices < last[:, None], tf.nn.relu(1.0 - tf.abs(offsets)), tf.zeros([], tf.float64))
    weights /= tf.reduce_sum(weights, axis=1, keepdims=True)
    return indices, tf.cast(weights * (1 << WEIGHT_BITS) + 0.5, tf.int32)
