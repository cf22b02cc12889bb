"""The training recipes: default settings by name."""

from __future__ import annotations

from typing import Any

from tfretrieval.errors import UserError

LEARNING_RATE_WITHOUT_PRETRAINING = 0.01
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


def recipe_settings(recipe: str, **changes: Any) -> dict[str, Any]:
    """The settings of a recipe, with changes on top; a change of None keeps the recipe's setting.

    Raises:
        UserError: the recipe is unknown.

    >>> recipe_settings("siamese", epochs=3, seed=None)
    {'recipe': 'siamese', 'loss': 'contrastive', 'epochs': 3}
    """
    if recipe not in RECIPES:
        raise UserError(f"unknown recipe {recipe!r}; use one of {', '.join(RECIPES)}")
    settings = {name: value for name, value in changes.items() if value is not None}
    if recipe == "resnet" and settings.get("weights") == "none":
        settings.setdefault("learning_rate", LEARNING_RATE_WITHOUT_PRETRAINING)
    if recipe != "resnet" and settings.get("backbone", "convnet") != "convnet":
        settings.setdefault("image_size", PRETRAINED_IMAGE_SIZE)
    return {"recipe": recipe, **RECIPES[recipe], **settings}
