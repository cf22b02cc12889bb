"""Random images in memory, for benchmarks whose times do not depend on what images show."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import row_gather


class SyntheticTable:
    """n random images uint8 [size, size, 3] of c classes, a `Table` for the pipelines like `ImageTable`."""

    def __init__(self, n: int, size: int, n_classes: int) -> None:
        labels = np.arange(n) % n_classes
        names = [str(label) for label in range(n_classes)]
        self.catalog = Catalog.from_lists([str(i) for i in range(n)], labels, names)
        self._gather = row_gather(np.random.default_rng(0).integers(0, 256, (n, size, size, 3), np.uint8))

    def __len__(self) -> int:
        return len(self.catalog)

    def gather(self, rows: tf.Tensor) -> tf.Tensor:
        return self._gather(rows)
