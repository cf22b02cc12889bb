"""`LossSpec`: a loss with the batches and the network that it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from tfretrieval.data.batches import BatchType, ImageBatches, PairBatches, TripletBatches
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
