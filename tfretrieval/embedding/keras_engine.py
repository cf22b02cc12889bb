"""The engine that every machine has: Keras on whatever device TensorFlow finds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfretrieval.data.images import ImageTable, whole_files, why_broken
from tfretrieval.data.pipelines import image_batches
from tfretrieval.embedding.engine import Batch, Engine
from tfretrieval.models.embedder import image_size_of
from tfretrieval.progress import progress


class KerasEngine(Engine):
    """Turns images into vectors with an embedder.

    Args:
        embedder: images float [b, s, s, 3] in 0..255 -> embeddings float32 [b, d].
        fit: how an image becomes a square, see `decode_and_resize`.
        batch_size: images a step.
    """

    name = "keras"

    def __init__(self, embedder: keras.Model, fit: str = "crop", batch_size: int = 64) -> None:
        self.embedder = embedder
        self.fit = fit
        self.batch_size = batch_size
        self.precision = "float32"
        self.image_size = image_size_of(embedder)
        self.dim = int(embedder.output_shape[-1])
        self._forward = tf.function(
            lambda images: embedder(tf.cast(images, tf.float32), training=False),
            input_signature=[tf.TensorSpec([None, self.image_size, self.image_size, 3], tf.uint8)],
        )

    def batches(self, paths: Sequence[str]) -> Iterator[Batch]:
        for rows, images in whole_files(paths, self.image_size, self.fit, self.batch_size):
            yield rows.numpy(), self._forward(images).numpy()

    def why_broken(self, path: str) -> str:
        return why_broken(path, self.image_size, self.fit)

    def embed_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return np.asarray(self._forward(tf.constant(pixels)).numpy())

    def embed_table(self, table: ImageTable, rows: np.ndarray | None = None) -> np.ndarray:
        """The embeddings of images that are already decoded, all or those at `rows`: float32 [n, d]."""
        batches = image_batches(table, self.batch_size, rows)
        count = math.ceil((len(table) if rows is None else len(rows)) / self.batch_size)
        bar = progress(batches, "embed", total=count, unit="batch")
        return np.concatenate([self._forward(images).numpy() for images in bar])
