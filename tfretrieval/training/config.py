"""`TrainConfig`: every figure of a training run, and the study's three recipes as its defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfretrieval.errors import UserError

CHOICES = {
    "augment": ("none", "flip", "standard"),
    "fit": ("crop", "pad", "stretch"),
    "on_error": ("fail", "skip"),
    "cache": ("auto", "ram", "disk", "none"),
    "optimizer": ("sgd", "adam"),
    "metric": ("cosine", "euclidean"),
    "monitor": ("val_map", "val_precision_at_1"),
    "head": ("cosine", "linear"),
}


@dataclass(frozen=True)
class TrainConfig:
    """What a training run is made of. `TrainConfig.for_recipe` fills in a recipe's defaults.

    Attributes:
        recipe: "resnet", "siamese" or "triplet".
        epochs: passes over the training part; 0 saves the untrained network.
        batch_size: images, pairs or triplets a step; P x K batches follow the two figures below.
        classes_per_batch: P, at most the classes there are.
        images_per_class: K.
        steps_per_epoch: steps of pairs, triplets or P x K; None: each image is shown about 8 times.
        image_size: the side in pixels.
        fit: how an image becomes a square: crop, pad or stretch.
        augment: none, flip, or standard (flip, crop, brightness, contrast).
        backbone: `convnet` or a name of keras.applications.
        weights: imagenet, none, or a file.
        embedding_dim: values of an embedding; None: the backbone's features.
        normalize: put embeddings on the unit sphere.
        freeze: leave the backbone as it is; with augment none its features are computed once and kept.
        head: what cross-entropy is computed on: cosine or linear, see `build_classifier`.
        loss: a name of `tfretrieval.losses`.
        margin, squared, soft: of the metric losses.
        optimizer, learning_rate, momentum: how weights move; momentum is SGD's.
        accumulate: batches whose gradients are averaged before a step; an epoch's last group may be smaller. The
            learning rate goes by epochs as ever; momentum, clipping and `ema` go by steps. Losses that mine do so in
            each batch.
        ema: momentum of the moving average that takes the place of the weights after each epoch; 0: none.
        lr_decay, lr_decay_every: the learning rate is multiplied by the first every so many epochs; 0: never.
        validation_fraction: the part of train held out to choose the epoch, by class.
        monitor: the figure on that part that chooses the best epoch.
        patience: epochs without a better one before training stops; 0: never.
        metric: the distance under which the embeddings are compared.
        mixed_precision: compute in half precision, bfloat16 on a CPU and float16 on a GPU.
        on_error: what a broken image does: fail or skip.
        xla: compile the step with XLA.
        cache: decoded images in memory (auto, ram), in a file for later runs too (disk), or nowhere (none).
        seed: of everything random.

    Raises:
        UserError: a figure that makes no sense.

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
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise UserError(f"{name} must be {' or '.join(allowed)}, not {getattr(self, name)!r}")
        least: dict[str, float] = {
            "epochs": 0, "batch_size": 1, "classes_per_batch": 2, "images_per_class": 2, "image_size": 8,
            "accumulate": 1, "lr_decay_every": 0, "patience": 0, "seed": 0, "momentum": 0, "ema": 0,
            "validation_fraction": 0,
        }  # fmt: skip
        for name, limit in least.items():
            if not getattr(self, name) >= limit:
                raise UserError(f"{name} must be {limit} or more, not {getattr(self, name)}")
        for name in ("steps_per_epoch", "embedding_dim"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"{name} must be 1 or more, not {value}")
        for name in ("learning_rate", "margin", "lr_decay"):
            if not 0 < getattr(self, name) < float("inf"):
                raise UserError(f"{name} must be a number above 0, not {getattr(self, name)}")
        for name in ("validation_fraction", "momentum", "ema"):
            if getattr(self, name) >= 1:
                raise UserError(f"{name} must be below 1, not {getattr(self, name)}")

    @classmethod
    def for_recipe(cls, recipe: str, **changes: Any) -> TrainConfig:
        """A recipe's figures, with `changes` on top; a change of None leaves the recipe's figure.

        Raises:
            UserError: no such recipe, no such figure, or one of the wrong kind.
        """
        if recipe not in RECIPES:
            raise UserError(f"no recipe {recipe!r}; there are {', '.join(RECIPES)}")
        given = {name: value for name, value in changes.items() if value is not None}
        if given.get("backbone", "convnet") != "convnet" and recipe != "resnet":
            given.setdefault("image_size", 224)
        if recipe == "resnet" and given.get("weights") == "none":
            given.setdefault("learning_rate", FROM_SCRATCH)
        return cls(**_checked({"recipe": recipe, **RECIPES[recipe], **given}))

    def learning_rate_at(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 0."""
        if not self.lr_decay_every:
            return self.learning_rate
        return self.learning_rate * self.lr_decay ** (epoch // self.lr_decay_every)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """The inverse of `to_dict`: every figure must be there, but for those that older runs lack.

        Raises:
            UserError: a missing or unknown name, or a value of the wrong kind.
        """
        missing = [field.name for field in dataclasses.fields(cls) if field.name not in {*values, *NEWER}]
        if missing:
            raise UserError(f"the configuration is damaged: it lacks {', '.join(missing)}")
        return cls(**_checked(values))


NEWER = ("accumulate", "xla")  # figures that runs of version 0.1 lack; the defaults are what they did

RECIPES: dict[str, dict[str, Any]] = {
    "resnet": {
        "epochs": 5,
        "batch_size": 32,
        "image_size": 224,
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

FROM_SCRATCH = 0.01  # the learning rate of a backbone that has nothing to lose


def read_config_file(path: Path) -> dict[str, Any]:
    """Read figures from a YAML file of `name: value` lines.

    Raises:
        UserError: the file is missing, is not YAML, or names a figure that does not exist.
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


_ACCEPTED: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "str": (str,)}


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, each of its field's type; a whole number may stand for a fraction."""
    kinds = {field.name: str(field.type) for field in dataclasses.fields(TrainConfig)}
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in kinds:
            raise UserError(f"no setting {name!r}; there are {', '.join(kinds)}")
        kind = kinds[name].removesuffix(" | None")
        if value is None and kinds[name].endswith("None"):
            checked[name] = None
            continue
        if not isinstance(value, _ACCEPTED[kind]) or (isinstance(value, bool) and kind != "bool"):
            raise UserError(f"{name} must be of type {kind}, not {value!r}")
        checked[name] = float(value) if isinstance(value, (int, float)) and kind == "float" else value
    return checked
