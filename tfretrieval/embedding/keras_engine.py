"""`KerasEngine`: computes embeddings with Keras on any device of TensorFlow."""

from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from tfretrieval.data.images import decoded_batches
from tfretrieval.embedding.engine import Batch, Engine
from tfretrieval.models.embedder import image_size_of


class KerasEngine(Engine):
    """Computes embeddings with a Keras model.

    Args:
        embedder: model from images float32 [b, s, s, 3] in 0..255 to embeddings float32 [b, d].
        resize_mode: "crop", "pad" or "stretch", see `read_image`.
        batch_size: number of images per call of the model.
    """

    name = "keras"

    def __init__(self, embedder: keras.Model, resize_mode: str = "crop", batch_size: int = 64) -> None:
        self.embedder = embedder
        self.resize_mode = resize_mode
        self.batch_size = batch_size
        self.precision = "float32"
        self.image_size = image_size_of(embedder)
        self.dim = int(embedder.output_shape[-1])
        self._forward = tf.function(
            lambda images: embedder(tf.cast(images, tf.float32), training=False),
            input_signature=[tf.TensorSpec([None, self.image_size, self.image_size, 3], tf.uint8)],
        )

    def batches(self, paths: Sequence[str]) -> Iterator[Batch]:
        for rows, images in decoded_batches(paths, self.image_size, self.resize_mode, self.batch_size):
            yield rows, self.embed_pixels(images)

    def embed_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return np.asarray(self._forward(tf.constant(pixels)).numpy())
