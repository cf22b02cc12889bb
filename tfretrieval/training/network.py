"""The network of a training run: an embedder inside what its loss is computed on, compiled."""

from __future__ import annotations

import keras

from tfretrieval.losses import batches_for, make_loss
from tfretrieval.models import build_classifier, build_embedder, build_siamese, build_triplet
from tfretrieval.training.config import TrainConfig

CLIP_NORM = 1.0  # of each weight's gradient under SGD: one bad batch cannot wreck pre-trained weights


def build_network(config: TrainConfig, n_classes: int) -> keras.Model:
    """The compiled network of a run.

    Raises:
        UserError: a figure that does not fit the backbone, the weights or the loss.
    """
    loss = make_loss(config.loss, config.margin, config.squared, config.soft)
    embedder = build_embedder(
        config.backbone,
        config.image_size,
        config.embedding_dim,
        config.weights,
        config.normalize,
        config.freeze,
    )
    batches = batches_for(config.loss)
    if batches == "images":
        network = build_classifier(embedder, n_classes, config.head)
    elif batches == "pairs":
        network = build_siamese(embedder)
    elif batches == "triplets":
        network = build_triplet(embedder)
    else:
        network = embedder
    network.compile(optimizer=_optimizer(config), loss=loss, metrics=["accuracy"] if batches == "images" else None)
    return network


def embedder_of(network: keras.Model) -> keras.Model:
    """The embedder inside a network; it shares the network's weights."""
    return network if network.name == "embedder" else network.get_layer("embedder")


def average_every(network: keras.Model, steps: int) -> None:
    """Let the moving average of the weights, where the optimiser keeps one, take their place every so many steps."""
    optimizer = getattr(network.optimizer, "inner_optimizer", network.optimizer)
    if optimizer.use_ema:
        optimizer.ema_overwrite_frequency = steps


def _optimizer(config: TrainConfig) -> keras.optimizers.Optimizer:
    average = {"use_ema": True, "ema_momentum": config.ema} if config.ema else {}
    if config.optimizer == "adam":
        return keras.optimizers.Adam(config.learning_rate, **average)
    return keras.optimizers.SGD(config.learning_rate, momentum=config.momentum, clipnorm=CLIP_NORM, **average)
