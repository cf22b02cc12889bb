"""`LossSpec`: a loss with the batches and the network that it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from tfretrieval.data.batches import BalancedBatches, BatchType, ImageBatches, PairBatches, TripletBatches
from tfretrieval.models import build_classifier, build_siamese, build_triplet


@dataclass(frozen=True)
class LossSpec:
    """A loss with the batches and the network that it needs.

    Attributes:
        build_loss: the loss, from the keywords `margin`, `squared` and `soft`.
        batches: the type of batch that it is computed on.
        wrap: the network around an embedder whose output the loss reads, from the embedder, the number of classes
            and the type of classification head.
        is_classifier: whether that network classifies, and thus has an accuracy and a head named "head".
    """

    build_loss: Callable[..., keras.losses.Loss]
    batches: type[BatchType]
    wrap: Callable[[keras.Model, int, str], keras.Model]
    is_classifier: bool = False


def on_images(build_loss: Callable[..., keras.losses.Loss]) -> LossSpec:
    """A loss on the logits of single images."""
    return LossSpec(build_loss, ImageBatches, build_classifier, is_classifier=True)


def on_pairs(build_loss: Callable[..., keras.losses.Loss]) -> LossSpec:
    """A loss on the distances of pairs."""
    return LossSpec(build_loss, PairBatches, lambda embedder, n_classes, head: build_siamese(embedder))


def on_triplets(build_loss: Callable[..., keras.losses.Loss]) -> LossSpec:
    """A loss on the distances from anchors to positives and to negatives."""
    return LossSpec(build_loss, TripletBatches, lambda embedder, n_classes, head: build_triplet(embedder))


def on_embeddings(build_loss: Callable[..., keras.losses.Loss]) -> LossSpec:
    """A loss on the embeddings of a P x K batch, which mines inside the batch."""
    return LossSpec(build_loss, BalancedBatches, lambda embedder, n_classes, head: embedder)
