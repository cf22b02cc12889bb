"""Rows of an array, looked up inside a tf.data pipeline."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

Gather = Callable[[tf.Tensor], tf.Tensor]


def rows_of(array: np.ndarray) -> Gather:
    """A function from rows, integers [b], to the array's rows [b, ...] of its dtype.

    A memory-mapped array stays on disk and is read row by row; any other is held as a tensor.
    """
    if not isinstance(array, np.memmap):
        held = tf.constant(array)
        return lambda rows: tf.gather(held, rows)

    def read(rows: tf.Tensor) -> tf.Tensor:
        found = tf.numpy_function(lambda wanted: array[wanted], [rows], array.dtype, stateful=False)
        return tf.ensure_shape(found, [rows.shape[0], *array.shape[1:]])

    return read
