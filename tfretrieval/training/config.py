"""`TrainConfig`: the settings of a training run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfretrieval.errors import UserError
from tfretrieval.training.option import Option
from tfretrieval.training.recipes import RECIPES, recipe_settings

POSITIVE = Option(int, low=1)
OPTIONAL_POSITIVE = Option(int, low=1, optional=True)
NOT_NEGATIVE = Option(int, low=0)
POSITIVE_NUMBER = Option(float, above=0)
FRACTION = Option(float, low=0, below=1)
FLAG = Option(bool)
NAME = Option(str)

OPTIONS: dict[str, Option] = {
    "recipe": Option(str, choices=tuple(RECIPES)),
    "epochs": NOT_NEGATIVE,
    "batch_size": POSITIVE,
    "classes_per_batch": Option(int, low=2),
    "images_per_class": Option(int, low=2),
    "steps_per_epoch": OPTIONAL_POSITIVE,
    "image_size": Option(int, low=8),
    "fit": Option(str, choices=("crop", "pad", "stretch")),
    "augment": Option(str, choices=("none", "flip", "standard")),
    "backbone": NAME,
    "weights": NAME,
    "embedding_dim": OPTIONAL_POSITIVE,
    "normalize": FLAG,
    "freeze": FLAG,
    "head": Option(str, choices=("cosine", "linear")),
    "loss": NAME,
    "margin": POSITIVE_NUMBER,
    "squared": FLAG,
    "soft": FLAG,
    "optimizer": Option(str, choices=("sgd", "adam")),
    "learning_rate": POSITIVE_NUMBER,
    "momentum": FRACTION,
    "accumulate": POSITIVE,
    "ema": FRACTION,
    "lr_decay": POSITIVE_NUMBER,
    "lr_decay_every": NOT_NEGATIVE,
    "validation_fraction": FRACTION,
    "monitor": Option(str, choices=("val_map", "val_precision_at_1")),
    "patience": NOT_NEGATIVE,
    "metric": Option(str, choices=("cosine", "euclidean")),
    "mixed_precision": FLAG,
    "xla": FLAG,
    "on_error": Option(str, choices=("fail", "skip")),
    "cache": Option(str, choices=("auto", "ram", "disk", "none")),
    "seed": NOT_NEGATIVE,
}
CHOICES = {name: option.choices for name, option in OPTIONS.items() if option.choices}


@dataclass(frozen=True)
class TrainConfig:
    """The settings of a training run. `TrainConfig.for_recipe` starts from the settings of a recipe.

    Attributes:
        recipe: "resnet", "siamese" or "triplet".
        epochs: passes over the training images; 0 saves the untrained network.
        batch_size: images, pairs or triplets per step.
        classes_per_batch: P of P x K batches, at most the number of classes.
        images_per_class: K of P x K batches.
        steps_per_epoch: steps per epoch of pairs, triplets or P x K batches; None shows each image about 8 times.
        image_size: side of the images in pixels.
        fit: resize mode: "crop", "pad" or "stretch".
        augment: "none", "flip", or "standard" (flip, crop, brightness, contrast).
        backbone: "convnet" or a name of `keras.applications`.
        weights: "imagenet", "none", or the path of a weights file.
        embedding_dim: dimension of the embedding; None for that of the backbone's features.
        normalize: L2-normalize embeddings.
        freeze: freeze the backbone; with augment "none" its features are computed once and cached.
        head: classification head for cross-entropy, "cosine" or "linear", see `build_classifier`.
        loss: a name in `tfretrieval.losses.LOSSES`.
        margin: margin of the metric losses.
        squared: compare squared distances in the metric losses.
        soft: use log(1 + exp(x)) in place of max(x, 0) in the metric losses.
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
        metric: distance between embeddings, "cosine" or "euclidean".
        mixed_precision: compute in half precision, bfloat16 on a CPU and float16 on a GPU.
        xla: compile the training step with XLA.
        on_error: mode for unreadable images: "fail" or "skip".
        cache: cache of decoded images: memory ("auto" if they fit, "ram"), a file for later runs ("disk") or "none".
        seed: random seed.

    Raises:
        UserError: a value is not accepted.

    >>> TrainConfig.for_recipe("siamese").learning_rate
    0.001
    """

    recipe: str
    epochs: int = 20
    batch_size: int = 64
    classes_per_batch: int = 8
    images_per_class: int = 12
    steps_per_epoch: int | None = None
    image_size: int = 64
    fit: str = "crop"
    augment: str = "flip"
    backbone: str = "convnet"
    weights: str = "none"
    embedding_dim: int | None = 10
    normalize: bool = False
    freeze: bool = False
    head: str = "cosine"
    loss: str = "triplet-all"
    margin: float = 1.0
    squared: bool = False
    soft: bool = False
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    accumulate: int = 1
    ema: float = 0.0
    lr_decay: float = 0.1
    lr_decay_every: int = 8
    validation_fraction: float = 0.1
    monitor: str = "val_map"
    patience: int = 0
    metric: str = "euclidean"
    mixed_precision: bool = False
    xla: bool = False
    on_error: str = "fail"
    cache: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, option in OPTIONS.items():
            object.__setattr__(self, name, option.checked(name, getattr(self, name)))

    @classmethod
    def for_recipe(cls, recipe: str, **changes: Any) -> TrainConfig:
        """The settings of a recipe, with changes on top; a change of None keeps the recipe's setting.

        Raises:
            UserError: the recipe or a setting is unknown, or a value is not accepted.
        """
        return cls(**_known(recipe_settings(recipe, **changes)))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """The inverse of `to_dict`.

        Raises:
            UserError: a setting is missing or unknown, or a value is not accepted.
        """
        if missing := [name for name in OPTIONS if name not in values]:
            raise UserError(f"the configuration lacks {', '.join(missing)}")
        return cls(**_known(values))

    def to_dict(self) -> dict[str, Any]:
        """The settings by name."""
        return dataclasses.asdict(self)

    def learning_rate_at(self, epoch: int) -> float:
        """Learning rate of an epoch, counted from 0."""
        if not self.lr_decay_every:
            return self.learning_rate
        return self.learning_rate * self.lr_decay ** (epoch // self.lr_decay_every)


def read_config_file(path: Path) -> dict[str, Any]:
    """Read settings from a YAML file of `name: value` lines.

    Raises:
        UserError: the file is missing or is not such a file.
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
    return values


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    for name in values:
        if name not in OPTIONS:
            raise UserError(f"unknown setting {name!r}; use one of {', '.join(OPTIONS)}")
    return dict(values)
