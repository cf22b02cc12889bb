"""Losses by name. Each declares the batches and the network that it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras

from tfretrieval.data.batches import BalancedBatches, BatchType, ImageBatches, PairBatches, TripletBatches
from tfretrieval.errors import UserError
from tfretrieval.losses.addons import addons_loss
from tfretrieval.losses.contrastive import ContrastiveLoss
from tfretrieval.losses.triplet import TripletLoss
from tfretrieval.losses.triplet_all import TripletAllLoss
from tfretrieval.losses.triplet_hard import TripletHardLoss
from tfretrieval.losses.triplet_semihard import TripletSemiHardLoss
from tfretrieval.models.classifier import build_classifier
from tfretrieval.models.siamese import build_siamese


@dataclass(frozen=True)
class LossSpec:
    """A loss with the batches and the network that it needs.

    Attributes:
        build_loss: the loss, from the keywords `margin`, `squared` and `soft`.
        batches: the type of batch that it is computed on.
    """

    build_loss: Callable[..., keras.losses.Loss]
    batches: type[BatchType]

    @property
    def is_classifier(self) -> bool:
        """Whether the network classifies, and thus has an accuracy and a head named "head"."""
        return self.batches is ImageBatches

    def wrap(self, embedder: keras.Model, n_classes: int, head: str) -> keras.Model:
        """The network around an embedder whose output the loss reads.

        Args:
            embedder: see `build_embedder`; its weights are shared.
            n_classes: number of classes.
            head: type of classification head, see `build_classifier`.

        Returns:
            A network to logits of images, to distances of pairs or triplets, or the embedder itself.

        Raises:
            UserError: the head is unknown.
        """
        if self.batches is ImageBatches:
            return build_classifier(embedder, n_classes, head)
        if self.batches is PairBatches:
            return build_siamese(embedder, 2)
        if self.batches is TripletBatches:
            return build_siamese(embedder, 3)
        return embedder


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
