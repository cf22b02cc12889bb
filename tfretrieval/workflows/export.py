"""From a run's model to a SavedModel that plain TensorFlow can serve."""

import contextlib
import io
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfretrieval.atomic import replaced_directory
from tfretrieval.data.decode import decode_and_resize
from tfretrieval.errors import UserError
from tfretrieval.models.embedder import image_size_of
from tfretrieval.vectors import relative_difference

TOLERANCE = 1e-5


def export_saved_model(
    embedder: keras.Model, directory: str | os.PathLike[str], resize_mode: str = "crop", seed: int = 0
) -> dict[str, Any]:
    """Write a SavedModel, reload it with plain TensorFlow and check that it answers as the model does.

    Its signatures: `serving_default`, `images` float32 [b, s, s, 3] in 0..255 -> `embeddings` float32 [b, d]; and
    `encoded`, `encoded_images` bytes [b] (the contents of image files) -> the same.

    Args:
        embedder: the model.
        directory: the new folder; an existing one is replaced.
        resize_mode: "crop", "pad" or "stretch", see `decode_and_resize`.
        seed: of the random images of the check.

    Returns:
        path, signatures, image_size, dim, and max_difference, the largest difference that the check saw, as a
        share of the largest value.

    Raises:
        UserError: the folder cannot be written, or the reloaded model answers otherwise.
    """
    size = image_size_of(embedder)
    directory = Path(directory)
    with replaced_directory(directory, "saved_model.pb") as temporary:
        _write(embedder, temporary, size, resize_mode)
        difference = _largest_difference(embedder, temporary, size, resize_mode, seed)
        if not difference <= TOLERANCE:
            raise UserError(f"the exported model answers otherwise than the model (by {difference:.2g}): not written")
    return {
        "path": str(directory),
        "signatures": {
            "serving_default": f"images float32 [b, {size}, {size}, 3] in 0..255 -> embeddings",
            "encoded": "encoded_images bytes [b] -> embeddings",
        },
        "image_size": size,
        "dim": int(embedder.output_shape[-1]),
        "max_difference": difference,
    }


def _write(embedder: keras.Model, directory: Path, size: int, resize_mode: str) -> None:
    def from_images(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"embeddings": embedder(images, training=False)}

    def from_encoded(encoded_images: tf.Tensor) -> dict[str, tf.Tensor]:
        decoded = tf.map_fn(
            lambda content: decode_and_resize(content, size, resize_mode),
            encoded_images,
            fn_output_signature=tf.TensorSpec([size, size, 3], tf.uint8),
        )
        return from_images(tf.cast(decoded, tf.float32))

    archive = keras.export.ExportArchive()
    archive.track(embedder)
    archive.add_endpoint(
        "serving_default", from_images, [tf.TensorSpec([None, size, size, 3], tf.float32, name="images")]
    )
    archive.add_endpoint("encoded", from_encoded, [tf.TensorSpec([None], tf.string, name="encoded_images")])
    with contextlib.redirect_stdout(io.StringIO()):  # Keras lists every variable
        archive.write_out(str(directory))


def _largest_difference(embedder: keras.Model, directory: Path, size: int, resize_mode: str, seed: int) -> float:
    images = np.random.default_rng(seed).integers(0, 256, (4, 2 * size, size, 3), np.uint8)
    encoded = [tf.io.encode_png(image) for image in images]
    decoded = np.stack([decode_and_resize(content, size, resize_mode).numpy() for content in encoded]).astype(
        np.float32
    )
    expected = np.asarray(embedder(decoded, training=False))
    loaded = tf.saved_model.load(str(directory))
    outputs = (
        loaded.signatures["serving_default"](images=tf.constant(decoded))["embeddings"],
        loaded.signatures["encoded"](encoded_images=tf.stack(encoded))["embeddings"],
    )
    return max(relative_difference(output.numpy(), expected) for output in outputs)
