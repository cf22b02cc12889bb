"""Losses by name. Each declares the batches and the network that it needs."""

from __future__ import annotations

from functools import partial

import keras

from tfretrieval.data.batches import BalancedBatches, ImageBatches, PairBatches, TripletBatches
from tfretrieval.errors import UserError
from tfretrieval.losses.addons import addons_loss
from tfretrieval.losses.contrastive import ContrastiveLoss
from tfretrieval.losses.spec import LossSpec
from tfretrieval.losses.triplet import TripletLoss
from tfretrieval.losses.triplet_all import TripletAllLoss
from tfretrieval.losses.triplet_hard import TripletHardLoss
from tfretrieval.losses.triplet_semihard import TripletSemiHardLoss

LOSSES: dict[str, LossSpec] = {
    "cross-entropy": LossSpec(
        lambda **options: keras.losses.SparseCategoricalCrossentropy(from_logits=True), ImageBatches
    ),
    "contrastive": LossSpec(ContrastiveLoss, PairBatches),
    "triplet": LossSpec(TripletLoss, TripletBatches),
    "triplet-all": LossSpec(TripletAllLoss, BalancedBatches),
    "triplet-hard": LossSpec(TripletHardLoss, BalancedBatches),
    "triplet-semihard": LossSpec(TripletSemiHardLoss, BalancedBatches),
    "addons/contrastive": LossSpec(partial(addons_loss, "contrastive"), PairBatches),
    "addons/triplet-semihard": LossSpec(partial(addons_loss, "triplet-semihard"), BalancedBatches),
    "addons/triplet-hard": LossSpec(partial(addons_loss, "triplet-hard"), BalancedBatches),
    "addons/npairs": LossSpec(partial(addons_loss, "npairs"), BalancedBatches),
    "addons/lifted": LossSpec(partial(addons_loss, "lifted"), BalancedBatches),
}


def loss_spec(name: str) -> LossSpec:
    """The loss of that name, with the batches and the network that it needs.

    Raises:
        UserError: the name is unknown.
    """
    if name not in LOSSES:
        raise UserError(f"unknown loss {name!r}; use one of {', '.join(LOSSES)}")
    return LOSSES[name]
