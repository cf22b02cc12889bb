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


def _setting(kind: type, default: Any = dataclasses.MISSING, **accepted: Any) -> Any:
    """A field with the values that it accepts, see `Option`."""
    return dataclasses.field(default=default, metadata={"option": Option(kind, **accepted)})


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

    recipe: str = _setting(str, choices=tuple(RECIPES))
    epochs: int = _setting(int, 20, low=0)
    batch_size: int = _setting(int, 64, low=1)
    classes_per_batch: int = _setting(int, 8, low=2)
    images_per_class: int = _setting(int, 12, low=2)
    steps_per_epoch: int | None = _setting(int, None, low=1, optional=True)
    image_size: int = _setting(int, 64, low=8)
    fit: str = _setting(str, "crop", choices=("crop", "pad", "stretch"))
    augment: str = _setting(str, "flip", choices=("none", "flip", "standard"))
    backbone: str = _setting(str, "convnet")
    weights: str = _setting(str, "none")
    embedding_dim: int | None = _setting(int, 10, low=1, optional=True)
    normalize: bool = _setting(bool, False)
    freeze: bool = _setting(bool, False)
    head: str = _setting(str, "cosine", choices=("cosine", "linear"))
    loss: str = _setting(str, "triplet-all")
    margin: float = _setting(float, 1.0, above=0)
    squared: bool = _setting(bool, False)
    soft: bool = _setting(bool, False)
    optimizer: str = _setting(str, "adam", choices=("sgd", "adam"))
    learning_rate: float = _setting(float, 1e-3, above=0)
    momentum: float = _setting(float, 0.9, low=0, below=1)
    accumulate: int = _setting(int, 1, low=1)
    ema: float = _setting(float, 0.0, low=0, below=1)
    lr_decay: float = _setting(float, 0.1, above=0)
    lr_decay_every: int = _setting(int, 8, low=0)
    validation_fraction: float = _setting(float, 0.1, low=0, below=1)
    monitor: str = _setting(str, "val_map", choices=("val_map", "val_precision_at_1"))
    patience: int = _setting(int, 0, low=0)
    metric: str = _setting(str, "euclidean", choices=("cosine", "euclidean"))
    mixed_precision: bool = _setting(bool, False)
    xla: bool = _setting(bool, False)
    on_error: str = _setting(str, "fail", choices=("fail", "skip"))
    cache: str = _setting(str, "auto", choices=("auto", "ram", "disk", "none"))
    seed: int = _setting(int, 0, low=0)

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


OPTIONS: dict[str, Option] = {field.name: field.metadata["option"] for field in dataclasses.fields(TrainConfig)}
CHOICES = {name: option.choices for name, option in OPTIONS.items() if option.choices}


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
