"""The losses by name, one a file, each with the kind of batch that it is computed on."""

from __future__ import annotations

import keras

from tfretrieval.errors import UserError
from tfretrieval.losses.contrastive import ContrastiveLoss
from tfretrieval.losses.triplet import TripletLoss
from tfretrieval.losses.triplet_all import TripletAllLoss
from tfretrieval.losses.triplet_hard import TripletHardLoss
from tfretrieval.losses.triplet_semihard import TripletSemiHardLoss

METRIC_LOSSES = {
    "contrastive": ContrastiveLoss,
    "triplet": TripletLoss,
    "triplet-all": TripletAllLoss,
    "triplet-hard": TripletHardLoss,
    "triplet-semihard": TripletSemiHardLoss,
}
BATCHES = {
    "cross-entropy": "images",
    "contrastive": "pairs",
    "triplet": "triplets",
    "triplet-all": "balanced",
    "triplet-hard": "balanced",
    "triplet-semihard": "balanced",
    "addons/contrastive": "pairs",
    "addons/triplet-semihard": "balanced",
    "addons/triplet-hard": "balanced",
    "addons/npairs": "balanced",
    "addons/lifted": "balanced",
}


def make_loss(name: str, margin: float = 1.0, squared: bool = False, soft: bool = False) -> keras.losses.Loss:
    """A loss by its name, one of the keys of `BATCHES`; the options apply to the metric losses.

    Raises:
        UserError: no such loss, a margin that is not above 0, or the `addons` extra is missing.
    """
    if name == "cross-entropy":
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if name.startswith("addons/"):
        from tfretrieval.losses.addons import make_addons_loss

        return make_addons_loss(name.removeprefix("addons/"), margin, squared, soft)
    if name not in METRIC_LOSSES:
        raise UserError(f"no loss {name!r}; there are {', '.join(BATCHES)}")
    return METRIC_LOSSES[name](margin=margin, squared=squared, soft=soft)


def batches_for(name: str) -> str:
    """What a loss is computed on: "images", "pairs", "triplets", or "balanced" (P x K).

    Raises:
        UserError: no such loss.
    """
    if name not in BATCHES:
        raise UserError(f"no loss {name!r}; there are {', '.join(BATCHES)}")
    return BATCHES[name]


__all__ = [
    "ContrastiveLoss",
    "TripletAllLoss",
    "TripletHardLoss",
    "TripletLoss",
    "TripletSemiHardLoss",
    "batches_for",
    "make_loss",
]
