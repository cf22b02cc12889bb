"""The embedder: images in, one vector each out. Every other model is built around it."""

from __future__ import annotations

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
    """A functional model from RGB images in 0..255, float [b, s, s, 3], to embeddings float32 [b, d].

    Args:
        backbone: see `build_backbone`.
        image_size: the side s in pixels.
        embedding_dim: d, by a dense layer on the backbone's features; None takes the features themselves.
        weights: see `build_backbone`.
        normalize: put the embeddings on the unit sphere.
        freeze: leave the backbone's weights as they are.

    Raises:
        UserError: an option that does not fit.
    """
    if image_size < 8:
        raise UserError(f"images of {image_size} pixels are too small; 8 is the least")
    body = build_backbone(backbone, image_size, weights)
    set_trainable(body, not freeze, keep_statistics=weights != "none")
    images = keras.Input((image_size, image_size, 3), name="images")
    x = body(images)
    if embedding_dim is not None:
        x = keras.layers.Dense(embedding_dim, name="projection")(x)
    if normalize:
        x = L2Normalization(name="unit_sphere")(x)
    # float32 also where the layers before compute in half precision
    x = keras.layers.Activation("linear", dtype="float32", name=EMBEDDING)(x)
    return keras.Model(images, x, name="embedder")


def read_model(path: Path) -> keras.Model:
    """The embedder in a `.keras` file; its layers are registered by this module's imports.

    Raises:
        UserError: the file is not a Keras model of ours.
    """
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is damaged: it is not a whole .keras file; train again with --overwrite")
    try:
        model = keras.models.load_model(path, compile=False)
        shape = model.input_shape
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise UserError(f"{path} is not a model that can be loaded ({reason}); train again with --overwrite") from None
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] != 3 or len(model.output_shape) != 2:
        raise UserError(f"{path} is not an embedder: it must take images [b, s, s, 3] and give vectors [b, d]")
    return model


def image_size_of(embedder: keras.Model) -> int:
    """The side in pixels of the images that a model takes."""
    return int(embedder.input_shape[1])


def in_float32(model: keras.Model) -> keras.Model:
    """The same network computing in float32 throughout; the model itself where it does so already."""
    config = model.get_config()
    wide = _without_half(config)
    if wide == config:
        return model
    copy = model.__class__.from_config(wide)
    copy.set_weights(model.get_weights())
    return copy


def _without_half(config: Any) -> Any:
    if isinstance(config, dict):
        return {name: _without_half(value) for name, value in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_without_half(value) for value in config)
    return "float32" if config in ("mixed_bfloat16", "mixed_float16") else config
