"""Backbones by name: the models of `keras.applications` and a small convnet."""

import contextlib
import re
import sys
from pathlib import Path

import keras

from tfretrieval.errors import UserError
from tfretrieval.models.layers import BackbonePreprocessing

CONVNET = "convnet"
MIN_SIDE = 32


def build_backbone(name: str, image_size: int, weights: str = "none") -> keras.Model:
    """A network from RGB images float32 [b, s, s, 3] in 0..255 to pooled features [b, f].

    Args:
        name: "convnet", or a model of `keras.applications` such as "resnet50" or "efficientnet_b0"; MobileNets may
            carry a width: "mobilenet_v2_0.35".
        image_size: side s of the images in pixels.
        weights: "imagenet" (downloaded by Keras), "none" (randomly initialized), or the path of an .h5 weights file
            without top.

    Raises:
        UserError: the backbone is unknown, or the weights are unavailable or belong to another network.
    """
    if name == CONVNET:
        if weights != "none":
            raise UserError(f"the backbone {CONVNET} has no pretrained weights; use --weights none")
        return build_convnet(image_size)
    builder, options = find_application(name)
    if image_size < MIN_SIDE:
        raise UserError(f"the backbone {name} needs an image size of {MIN_SIDE} or more, not {image_size}")
    base = _build_base(builder, options, image_size, weights, name)
    if weights not in ("none", "imagenet"):
        load_backbone_weights(base, Path(weights), name)
    module = builder.__module__.rsplit(".", 1)[-1]
    images = keras.Input((image_size, image_size, 3), name="images")
    preprocessed = BackbonePreprocessing(module, dtype="float32", name="preprocessing")(images)
    return keras.Model(images, base(preprocessed), name="backbone")


def set_trainable(model: keras.Model, trainable: bool, keep_statistics: bool = True) -> None:
    """Freeze or unfreeze a backbone, in place.

    Args:
        model: the backbone.
        trainable: whether its weights are trained.
        keep_statistics: freeze batch normalization in either case, which keeps it in inference mode. Pretrained
            weights need this; `base(x, training=False)` is no substitute, because Keras 3 overrides it in nested
            models. A randomly initialized backbone must train its statistics: otherwise the signal vanishes.
    """
    model.trainable = trainable
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization) and keep_statistics:
            layer.trainable = False


def build_convnet(image_size: int) -> keras.Model:
    """Two convolution blocks and a dense layer: float32 [b, s, s, 3] in 0..255 -> [b, 256]."""
    images = keras.Input((image_size, image_size, 3), name="images")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, dtype="float32", name="preprocessing")(images)
    for block, filters in enumerate((32, 64), start=1):
        x = keras.layers.Conv2D(filters, 5, padding="same", activation="relu", name=f"block{block}_conv")(x)
        x = keras.layers.MaxPooling2D(4 if block == 1 else 2, name=f"block{block}_pool")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(256, activation="relu", name="dense")(x)
    return keras.Model(images, x, name="backbone")


def find_application(name: str) -> tuple[type[keras.Model], dict[str, float]]:
    """The builder in `keras.applications` of a backbone, and its options (the width as `alpha`).

    Raises:
        UserError: the name is unknown.
    """
    base, alpha = name, None
    if width := re.fullmatch(r"(.+)_(\d+\.\d+)", name):
        base, alpha = width[1], float(width[2])
    builders = {key.lower(): getattr(keras.applications, key) for key in dir(keras.applications) if key[0].isupper()}
    builder = builders.get(re.sub(r"[_\-]", "", base).lower())
    if builder is None:
        raise UserError(f"unknown backbone {name!r}; use one of {CONVNET}, {', '.join(sorted(builders))}")
    if alpha is not None and "mobilenet" not in base.lower():
        raise UserError(f"the backbone {base} takes no width; use --backbone {base}")
    return builder, {} if alpha is None else {"alpha": alpha}


def load_backbone_weights(base: keras.Model, file: Path, name: str) -> None:
    """Load weights without top from an HDF5 file.

    Raises:
        UserError: the file is missing, not HDF5, or belongs to another network.
    """
    if not file.is_file():
        raise UserError(f"the weights file {file} does not exist")
    if file.suffix != ".h5":
        raise UserError(f"{file} is not an .h5 file; save the backbone's weights as .h5 or .weights.h5")
    try:
        base.load_weights(file)
    except (ValueError, OSError, KeyError, TypeError, IndexError) as error:
        reason = str(error).splitlines()[0][:160]
        raise UserError(f"{file} does not hold weights for {name}: {reason}") from None


def _build_base(
    builder: type[keras.Model], options: dict[str, float], image_size: int, weights: str, name: str
) -> keras.Model:
    shape = (image_size, image_size, 3)
    wanted = "imagenet" if weights == "imagenet" else None
    try:
        with contextlib.redirect_stdout(sys.stderr):
            return builder(include_top=False, weights=wanted, input_shape=shape, pooling="avg", **options)
    except Exception as error:
        if "URL fetch failure" in str(error) or "download" in str(error).lower():
            raise UserError(
                f"cannot download ImageNet weights for {name}; use --weights FILE or --weights none"
            ) from None
        if isinstance(error, (ValueError, TypeError)):
            raise UserError(f"cannot build {name} at {image_size} pixels: {str(error).splitlines()[0]}") from None
        raise
