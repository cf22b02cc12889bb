"""Losses by name. Each declares the batches and the network that it needs."""

from __future__ import annotations

import keras

from tfretrieval.errors import UserError
from tfretrieval.losses.addons import addons_loss
from tfretrieval.losses.contrastive import ContrastiveLoss
from tfretrieval.losses.cross_entropy import cross_entropy
from tfretrieval.losses.spec import LossSpec, on_embeddings, on_images, on_pairs, on_triplets
from tfretrieval.losses.triplet import TripletLoss
from tfretrieval.losses.triplet_all import TripletAllLoss
from tfretrieval.losses.triplet_hard import TripletHardLoss
from tfretrieval.losses.triplet_semihard import TripletSemiHardLoss

LOSSES: dict[str, LossSpec] = {
    "cross-entropy": on_images(cross_entropy),
    "contrastive": on_pairs(ContrastiveLoss),
    "triplet": on_triplets(TripletLoss),
    "triplet-all": on_embeddings(TripletAllLoss),
    "triplet-hard": on_embeddings(TripletHardLoss),
    "triplet-semihard": on_embeddings(TripletSemiHardLoss),
    "addons/contrastive": on_pairs(addons_loss("contrastive")),
    "addons/triplet-semihard": on_embeddings(addons_loss("triplet-semihard")),
    "addons/triplet-hard": on_embeddings(addons_loss("triplet-hard")),
    "addons/npairs": on_embeddings(addons_loss("npairs")),
    "addons/lifted": on_embeddings(addons_loss("lifted")),
}


def loss_spec(name: str) -> LossSpec:
    """The loss of that name, with the batches and the network that it needs.

    Raises:
        UserError: the name is unknown.
    """
    if name not in LOSSES:
        raise UserError(f"unknown loss {name!r}; use one of {', '.join(LOSSES)}")
    return LOSSES[name]


def make_loss(name: str, margin: float = 1.0, squared: bool = False, soft: bool = False) -> keras.losses.Loss:
    """A loss by name.

    Args:
        name: one of the keys of `LOSSES`.
        margin: margin of the metric losses, above 0.
        squared: whether metric losses compare squared distances.
        soft: whether metric losses use the soft margin log(1 + exp(x)).

    Raises:
        UserError: the name is unknown, the margin is not above 0, or the `addons` extra is missing.
    """
    return loss_spec(name).build_loss(margin=margin, squared=squared, soft=soft)


__all__ = [
    "LOSSES",
    "ContrastiveLoss",
    "LossSpec",
    "TripletAllLoss",
    "TripletHardLoss",
    "TripletLoss",
    "TripletSemiHardLoss",
    "loss_spec",
    "make_loss",
]
