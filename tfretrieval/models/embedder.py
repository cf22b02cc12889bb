"""The embedder, a model from images to vectors, around which every other model is built."""

import zipfile
from pathlib import Path
from typing import Any

import keras

from tfretrieval.errors import UserError
from tfretrieval.models.backbones import build_backbone, set_trainable
from tfretrieval.models.layers import L2Normalization

EMBEDDING = "embedding"


def build_embedder(
    backbone: str = "convnet",
    image_size: int = 64,
    embedding_dim: int | None = None,
    weights: str = "none",
    normalize: bool = False,
    freeze: bool = False,
) -> keras.Model:
    """A functional model from RGB images float32 [b, s, s, 3] in 0..255 to embeddings float32 [b, d].

    Args:
        backbone: see `build_backbone`.
        image_size: side s of the images in pixels, at least 8.
        embedding_dim: dimension d of a dense layer on the backbone's features; None for the features themselves.
        weights: see `build_backbone`.
        normalize: L2-normalize the embeddings.
        freeze: freeze the backbone.

    Raises:
        UserError: the image size is too small, or the backbone or its weights are unavailable.
    """
    if image_size < 8:
        raise UserError(f"the image size must be 8 or more, not {image_size}")
    body = build_backbone(backbone, image_size, weights)
    set_trainable(body, not freeze, keep_statistics=weights != "none")
    images = keras.Input((image_size, image_size, 3), name="images")
    x = body(images)
    if embedding_dim is not None:
        x = keras.layers.Dense(embedding_dim, name="projection")(x)
    if normalize:
        x = L2Normalization(name="l2_normalization")(x)
    # float32 even if the layers before it compute in half precision
    x = keras.layers.Activation("linear", dtype="float32", name=EMBEDDING)(x)
    return keras.Model(images, x, name="embedder")


def load_embedder(path: Path) -> keras.Model:
    """Load the embedder in a `.keras` file.

    Raises:
        UserError: the file is damaged or not an embedder.
    """
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is damaged: not a complete .keras file; retrain with --overwrite")
    try:
        model = keras.models.load_model(path, compile=False)
        shape = model.input_shape
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise UserError(f"{path} cannot be loaded ({reason}); retrain with --overwrite") from None
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] != 3 or len(model.output_shape) != 2:
        raise UserError(f"{path} is not an embedder: it must map images [b, s, s, 3] to vectors [b, d]")
    return model


def image_size_of(embedder: keras.Model) -> int:
    """Side in pixels of the images that a model takes."""
    return int(embedder.input_shape[1])


def in_float32(model: keras.Model) -> keras.Model:
    """A copy of a model that computes in float32 throughout; the model itself if it already does."""
    config = model.get_config()
    float32_config = _without_half(config)
    if float32_config == config:
        return model
    copy = model.__class__.from_config(float32_config)
    copy.set_weights(model.get_weights())
    return copy


def _without_half(config: Any) -> Any:
    if isinstance(config, dict):
        return {name: _without_half(value) for name, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_without_half(value) for value in config)
    return "float32" if config in ("mixed_bfloat16", "mixed_float16") else config
