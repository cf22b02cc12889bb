"""Convert a Keras model for `OpenVINOEngine`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import openvino
import tensorflow as tf
from openvino.preprocess import PrePostProcessor

from tfretrieval.embedding.openvino.engine import core
from tfretrieval.embedding.openvino.model_dir import write_converted_model
from tfretrieval.errors import UserError, one_line
from tfretrieval.models.embedder import image_size_of, in_float32
from tfretrieval.vectors import relative_difference

TOLERANCE = 1e-4


def save_openvino_model(
    embedder: keras.Model, directory: Path, resize_mode: str, provenance: Mapping[str, Any], seed: int = 0
) -> None:
    """Convert a model, compare its outputs, and write `model.xml`, `model.bin` and `engine.json`.

    Args:
        embedder: model from images float32 [b, s, s, 3] in 0..255 to embeddings float32 [b, d]. The converted model
            takes uint8.
        directory: directory to write; an existing one is replaced.
        resize_mode: "crop", "pad" or "stretch", see `read_image`.
        provenance: recorded in `engine.json`, with the fingerprint of the model as "model".
        seed: random seed of the images for the comparison.

    Raises:
        UserError: OpenVINO cannot convert the model, its outputs differ, or the directory cannot be written.
    """
    size = image_size_of(embedder)
    embedder = in_float32(embedder)
    model = _converted(embedder, size)
    images = np.random.default_rng(seed).integers(0, 256, (2, size, size, 3), np.uint8)
    compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = np.asarray(embedder(images.astype(np.float32), training=False))
    difference = relative_difference(compiled(images)[0], expected)
    if not difference <= TOLERANCE:
        raise UserError(f"the OpenVINO model differs from the Keras model (by {difference:.2g}); use --engine keras")
    dim = int(embedder.output_shape[-1])
    write_converted_model(model, directory, {**provenance, "image_size": size, "dim": dim, "resize_mode": resize_mode})


def _converted(embedder: keras.Model, size: int) -> Any:
    forward = tf.function(lambda images: embedder(images, training=False))
    traced = forward.get_concrete_function(tf.TensorSpec([None, size, size, 3], tf.float32))
    try:
        model = openvino.convert_model(traced)
    except Exception as error:
        raise UserError(f"OpenVINO cannot convert this model ({one_line(error)}); use --engine keras") from None
    preprocessor = PrePostProcessor(model)
    preprocessor.input().tensor().set_element_type(openvino.Type.u8)
    return preprocessor.build()
