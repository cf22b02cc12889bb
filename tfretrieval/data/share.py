"""The share of a batch that one of several replicas computes."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf


@dataclass(frozen=True)
class Share:
    """Part `number` of `of` parts of a batch, all as equal as can be; of few rows the first parts get some.

    >>> [Share(number, 3).places(4).numpy().tolist() for number in range(3)]
    [[0, 1], [2], [3]]
    """

    number: int = 0
    of: int = 1

    def places(self, n: int | tf.Tensor) -> tf.Tensor:
        """Which of n rows belong to this part: int64 [m]."""
        n = tf.cast(n, tf.int64)
        start, stop = ((n * at + self.of - 1) // self.of for at in (self.number, self.number + 1))
        return tf.range(start, stop)

    def rows(self, column: tf.Tensor) -> tf.Tensor:
        """Those of a tensor [n, ...] that belong to this part."""
        return column if self.of == 1 else tf.gather(column, self.places(tf.shape(column)[0]))


WHOLE = Share()
