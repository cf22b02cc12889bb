"""Pillow's bilinear resampling in the TensorFlow graph, to the bit.

First across, then down, each in integers with weights of 22 bits behind the point, and rounded in between. Pillow takes
a square that way too.
Source: Pillow, src/libImaging/Resample.c.
"""

from __future__ import annotations

import tensorflow as tf

WEIGHT_BITS = 22


def resample(image: tf.Tensor, size: int) -> tf.Tensor:
    """Stretch uint8 [h, w, c] to uint8 [size, size, c]; where it gets smaller the filter gets as much wider."""
    across = _resample_rows(tf.transpose(image, [1, 0, 2]), size)
    return _resample_rows(tf.transpose(across, [1, 0, 2]), size)


def _resample_rows(image: tf.Tensor, size: int) -> tf.Tensor:
    """uint8 [n, m, c] -> uint8 [size, m, c]."""
    n = tf.shape(image)[0]
    places, weights = _taps(n, size)
    places = tf.minimum(places, n - 1)  # those behind the end weigh nothing

    def add(tap: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        rows = tf.cast(tf.gather(image, places[:, tap]), tf.int32)
        return tap + 1, total + rows * weights[:, tap, None, None]

    half = tf.fill(tf.concat([[size], tf.shape(image)[1:]], axis=0), 1 << (WEIGHT_BITS - 1))
    n_taps = tf.shape(places)[1]
    _, total = tf.while_loop(lambda tap, total: tap < n_taps, add, (0, half))
    return tf.cast(tf.bitwise.right_shift(total, WEIGHT_BITS), tf.uint8)


def _taps(n: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Which of n values make each of `size` values, and their weights as integers: int32 [size, taps] both."""
    scale = tf.cast(n, tf.float64) / size
    reach = tf.maximum(scale, tf.ones([], tf.float64))
    centres = (tf.range(size, dtype=tf.float64) + 0.5) * scale
    first = tf.maximum(tf.cast(centres - reach + 0.5, tf.int32), 0)
    last = tf.minimum(tf.cast(centres + reach + 0.5, tf.int32), n)
    places = first[:, None] + tf.range(tf.reduce_max(last - first))
    away = (tf.cast(places, tf.float64) - centres[:, None] + 0.5) * (1.0 / reach)
    shares = tf.where(places < last[:, None], tf.nn.relu(1.0 - tf.abs(away)), tf.zeros([], tf.float64))
    shares /= tf.reduce_sum(shares, axis=1, keepdims=True)
    return places, tf.cast(shares * (1 << WEIGHT_BITS) + 0.5, tf.int32)
