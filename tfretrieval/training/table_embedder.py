"""`TableEmbedder`: embeddings of the rows of a table, with an embedder in training."""

import math

import keras
import numpy as np
import tensorflow as tf

from tfretrieval.data.pipelines import Table, image_batches
from tfretrieval.progress import progress

IMAGES_PER_CALL = 64
FEATURES_PER_CALL = 1024


class TableEmbedder:
    """Computes the embeddings of decoded images or of features.

    Args:
        embedder: model from images float32 [b, s, s, 3] in 0..255, or from features float [b, f] (see `head_of`), to
            embeddings float32 [b, d].
    """

    def __init__(self, embedder: keras.Model) -> None:
        takes_images = len(embedder.input_shape) == 4
        self._batch_size = IMAGES_PER_CALL if takes_images else FEATURES_PER_CALL
        dtype = tf.uint8 if takes_images else tf.float32
        self._forward = tf.function(
            lambda rows: embedder(tf.cast(rows, tf.float32), training=False),
            input_signature=[tf.TensorSpec([None, *embedder.input_shape[1:]], dtype)],
        )

    def embed(self, table: Table, rows: np.ndarray | None = None) -> np.ndarray:
        """Embeddings float [m, d] of the rows int [m], by default of the whole table."""
        batches = image_batches(table, self._batch_size, rows)
        count = math.ceil((len(table) if rows is None else len(rows)) / self._batch_size)
        bar = progress(batches, "embed", total=count, unit="batch")
        return np.concatenate([self._forward(batch).numpy() for batch in bar])
