"""The engine that every machine has: Keras on whatever device TensorFlow finds."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable, broken_files, report_broken, whole_files
from tfretrieval.data.pipelines import image_batches
from tfretrieval.embedding.store import Embeddings
from tfretrieval.models.embedder import image_size_of
from tfretrieval.progress import progress


class KerasEngine:
    """Turns pictures into vectors with an embedder.

    Args:
        embedder: images float [b, s, s, 3] in 0..255 -> embeddings float32 [b, d].
        fit: how a picture becomes a square, see `decode_and_resize`.
        batch_size: pictures a step.
    """

    name = "keras"

    def __init__(self, embedder: keras.Model, fit: str = "crop", batch_size: int = 64) -> None:
        self.embedder = embedder
        self.fit = fit
        self.batch_size = batch_size
        self.image_size = image_size_of(embedder)
        self._forward = tf.function(
            lambda images: embedder(tf.cast(images, tf.float32), training=False),
            input_signature=[tf.TensorSpec([None, self.image_size, self.image_size, 3], tf.uint8)],
        )

    def embed(self, catalog: Catalog, on_error: str = "fail", made_from: dict[str, Any] | None = None) -> Embeddings:
        """The embeddings of a catalogue's pictures, row-aligned with it; each file is decoded once.

        Raises:
            UserError: a file cannot be decoded and `on_error` is "fail", or none can.
        """
        n = len(catalog)
        vectors = np.zeros((n, self.embedder.output_shape[-1]), np.float32)
        whole = np.zeros(n, bool)
        batches = whole_files(list(catalog.paths), self.image_size, self.fit, self.batch_size)
        with progress(None, "embed", total=n) as bar:
            for rows, images in batches:
                vectors[rows.numpy()] = self._forward(images).numpy()
                whole[rows.numpy()] = True
                bar.update(len(rows))
        if not whole.all():
            broken = broken_files(list(catalog.paths), whole, self.image_size, self.fit)
            named = {str(catalog.paths[row]): reason for row, reason in broken.items()}
            report_broken(named, on_error, everything=not whole.any())
            catalog, vectors = catalog.subset(whole), vectors[whole]
        return Embeddings.from_arrays(
            vectors,
            catalog.labels,
            catalog.class_names,
            catalog.ids,
            catalog.paths,
            catalog.splits,
            {"engine": self.name, **(made_from or {})},
        )

    def embed_table(self, table: ImageTable, rows: np.ndarray | None = None) -> np.ndarray:
        """The embeddings of pictures that are already decoded, all or those at `rows`: float32 [n, d]."""
        batches = image_batches(table, self.batch_size, rows)
        return np.concatenate([self._forward(images).numpy() for images in batches])
