"""`TrainConfig`: the settings of a training run, and the recipes, its defaults by name."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from tfretrieval.errors import UserError
from tfretrieval.training.option import Option

PRETRAINED_IMAGE_SIZE = 224

RECIPES: dict[str, dict[str, Any]] = {
    "resnet": {
        "epochs": 5,
        "batch_size": 32,
        "image_size": PRETRAINED_IMAGE_SIZE,
        "backbone": "resnet50",
        "weights": "imagenet",
        "embedding_dim": None,
        "loss": "cross-entropy",
        "optimizer": "sgd",
        "learning_rate": 0.002,
        "lr_decay_every": 0,
        "ema": 0.97,
        "metric": "cosine",
    },
    "siamese": {"loss": "contrastive"},
    "triplet": {"loss": "triplet-all"},
}


def _setting(default: Any, help: str, **accepted: Any) -> Any:
    """A field with its description and the values that it accepts, see `Option`."""
    return dataclasses.field(default=default, metadata={"help": help, **accepted})


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a training run. `TrainConfig.for_recipe` starts from the settings of a recipe.

    Attributes:
        recipe: "resnet", "siamese" or "triplet".
        epochs: number of epochs; 0 saves the initial model.
        batch_size: images, pairs or triplets per batch; losses that mine within a batch use P x K images instead.
        classes_per_batch: classes per batch (P), for losses that mine within a batch; at most the number of classes.
        images_per_class: images per class in a batch (K).
        steps_per_epoch: steps per epoch of pairs, triplets or P x K batches; None for about 8 passes over the images.
        image_size: side of the images in pixels.
        resize_mode: "crop", "pad" or "stretch".
        augment: "none", "flip", or "standard" (flip, crop, brightness, contrast).
        backbone: "convnet" or a name of `keras.applications`.
        weights: "imagenet", "none", or the path of a weights file.
        embedding_dim: dimension of the embedding; None for that of the backbone's features.
        normalize: L2-normalize embeddings.
        freeze: freeze the backbone; with augment "none" its features are computed once and cached.
        head: classification head for cross-entropy, "cosine" or "linear", see `build_classifier`.
        loss: a name in `tfretrieval.losses.LOSSES`.
        margin: margin of the metric-learning losses.
        squared: compare squared distances in the metric-learning losses.
        soft: use log(1 + exp(x)) in place of max(x, 0) in the metric-learning losses.
        optimizer: "sgd" or "adam".
        learning_rate: learning rate of the first epoch.
        momentum: momentum of SGD.
        accumulate: number of batches whose gradients are averaged before an optimizer step; the last group of an epoch
            may be smaller. Momentum, clipping and `ema` count optimizer steps; losses mine within each batch.
        ema: momentum of the moving average that replaces the weights after each epoch; 0 disables it.
        lr_decay: factor on the learning rate every `lr_decay_every` epochs.
        lr_decay_every: epochs between two decays; 0 disables them.
        validation_fraction: fraction of each class of the training images held out to select the epoch.
        monitor: metric on the held-out images that selects the epoch.
        patience: epochs without improvement after which training stops; 0 disables early stopping.
        metric: distance metric of validation and, by default, of the index, "cosine" or "euclidean".
        mixed_precision: use mixed precision, bfloat16 on a CPU and float16 on a GPU.
        xla: compile the training step with XLA.
        on_error: mode for unreadable images: "fail" or "skip".
        cache: cache of decoded images: memory ("auto" if they fit, "ram"), a file for later runs ("disk") or "none".
        seed: random seed.

    Raises:
        UserError: a value is not accepted.

    >>> TrainConfig.for_recipe("siamese").learning_rate
    0.001
    """

    recipe: str = _setting(dataclasses.MISSING, "Recipe.", choices=tuple(RECIPES))
    epochs: int = _setting(20, "Number of epochs; 0 saves the initial model.", low=0)
    batch_size: int = _setting(64, "Images, pairs or triplets per batch; losses on P x K batches ignore it.", low=1)
    classes_per_batch: int = _setting(8, "Classes per batch (P), for losses that mine within a batch.", low=2)
    images_per_class: int = _setting(12, "Images per class in a batch (K).", low=2)
    steps_per_epoch: int | None = _setting(None, "Steps per epoch of pairs, triplets or P x K batches.", low=1)
    image_size: int = _setting(64, "Side of the images in pixels.", low=8)
    resize_mode: str = _setting("crop", "Resize mode.", choices=("crop", "pad", "stretch"))
    augment: str = _setting(
        "flip", "Augmentation; standard: flip, crop, brightness, contrast.", choices=("none", "flip", "standard")
    )
    backbone: str = _setting("convnet", "convnet, or a keras.applications model such as mobilenet_v2_0.35.")
    weights: str = _setting("none", "imagenet (downloaded by Keras), none, or an .h5 FILE (include_top=False).")
    embedding_dim: int | None = _setting(10, "Dimension of the embedding.", low=1)
    normalize: bool = _setting(False, "L2-normalize embeddings.")
    freeze: bool = _setting(
        False, "Freeze the backbone; with --augment none its features are computed once and cached."
    )
    head: str = _setting("cosine", "Classification head for cross-entropy.", choices=("cosine", "linear"))
    loss: str = _setting(
        "triplet-all", "cross-entropy, contrastive, triplet, triplet-all, triplet-hard, triplet-semihard, addons/..."
    )
    margin: float = _setting(1.0, "Margin of the metric-learning losses.", above=0)
    squared: bool = _setting(False, "Compare squared distances in the metric-learning losses.")
    soft: bool = _setting(False, "Softplus in place of the hinge; triplet losses then ignore --margin.")
    optimizer: str = _setting("adam", "Optimizer.", choices=("sgd", "adam"))
    learning_rate: float = _setting(1e-3, "Initial learning rate; 0.01 for resnet with --weights none.", above=0)
    momentum: float = _setting(0.9, "Momentum of SGD.", low=0, below=1)
    accumulate: int = _setting(1, "Gradient accumulation steps.", low=1)
    ema: float = _setting(
        0.0, "Momentum of the moving average that replaces the weights after each epoch; 0 disables it.", low=0, below=1
    )
    lr_decay: float = _setting(0.1, "Learning rate decay factor.", above=0)
    lr_decay_every: int = _setting(8, "Epochs between decays; 0 disables decay.", low=0)
    validation_fraction: float = _setting(
        0.1, "Fraction of the training images held out to select the epoch.", low=0, below=1
    )
    monitor: str = _setting(
        "val_map", "Metric on the held-out images that selects the epoch.", choices=("val_map", "val_precision_at_1")
    )
    patience: int = _setting(0, "Epochs without improvement after which training stops; 0 disables it.", low=0)
    metric: str = _setting("euclidean", "Distance metric of validation and the index.", choices=("cosine", "euclidean"))
    mixed_precision: bool = _setting(False, "Use mixed precision.")
    xla: bool = _setting(False, "Compile the training step with XLA, for GPUs; slower on CPUs.")
    on_error: str = _setting("fail", "Mode for unreadable images: fail or skip.", choices=("fail", "skip"))
    cache: str = _setting(
        "auto",
        "Cache of decoded images: auto (memory if they fit), ram, disk (in $TFRET_CACHE, for later runs) or none.",
        choices=("auto", "ram", "disk", "none"),
    )
    seed: int = _setting(0, "Random seed.", low=0)

    def __post_init__(self) -> None:
        for name, value in _checked(self.to_dict()).items():
            object.__setattr__(self, name, value)

    @classmethod
    def for_recipe(cls, recipe: str, **changes: Any) -> TrainConfig:
        """The settings of a recipe, with changes on top; a change of None keeps the recipe's setting.

        Raises:
            UserError: the recipe or a setting is unknown, or a value is not accepted.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        defaults = dict(RECIPES.get(recipe, {}))
        if recipe == "resnet" and given.get("weights") == "none":
            defaults["learning_rate"] = 0.01
        if recipe != "resnet" and given.get("backbone", "convnet") != "convnet":
            defaults["image_size"] = PRETRAINED_IMAGE_SIZE
        return cls(**_checked({"recipe": recipe, **defaults, **given}))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """The inverse of `to_dict`.

        Raises:
            UserError: a setting is missing or unknown, or a value is not accepted.
        """
        if missing := [name for name in OPTIONS if name not in values]:
            raise UserError(f"the configuration lacks {', '.join(missing)}")
        return cls(**_checked(values))

    def to_dict(self) -> dict[str, Any]:
        """The settings by name."""
        return dataclasses.asdict(self)

    def learning_rate_at(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0."""
        if not self.lr_decay_every:
            return self.learning_rate
        return self.learning_rate * self.lr_decay ** (epoch // self.lr_decay_every)


def _options() -> dict[str, Option]:
    options, hints = {}, get_type_hints(TrainConfig)
    for field in dataclasses.fields(TrainConfig):
        kind, *optional = get_args(hints[field.name]) or [hints[field.name]]
        options[field.name] = Option(kind, optional=bool(optional), **field.metadata)
    return options


OPTIONS = _options()


def read_config_file(path: Path) -> dict[str, Any]:
    """Read settings from a YAML file of `name: value` lines.

    Raises:
        UserError: the file is missing or is not such a file, or a setting is unknown or not accepted.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold lines of the form `name: value`")
    try:
        return _checked(values)
    except UserError as error:
        raise UserError(f"{path}: {error.problem}", error.remedy) from None


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, converted to their types."""
    for name in values:
        if name not in OPTIONS:
            close = difflib.get_close_matches(str(name), OPTIONS, 1)
            remedy = f"did you mean {close[0]!r}?" if close else f"use one of {', '.join(OPTIONS)}"
            raise UserError(f"unknown setting {name!r}", remedy)
    return {name: OPTIONS[name].checked(name, value) for name, value in values.items()}
