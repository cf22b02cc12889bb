"""The network of a training run: an embedder inside what its loss is computed on, compiled."""

from __future__ import annotations

import keras

from tfretrieval.errors import UserError
from tfretrieval.losses import batches_for, make_loss
from tfretrieval.models import build_classifier, build_embedder, build_siamese, build_triplet
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.optimizers import build_optimizer


def build_network(config: TrainConfig, n_classes: int) -> keras.Model:
    """The compiled network of a run.

    Raises:
        UserError: a figure that does not fit the backbone, the weights or the loss.
    """
    return network_around(config_embedder(config), config, n_classes)


def config_embedder(config: TrainConfig) -> keras.Model:
    """The embedder that a configuration names.

    Raises:
        UserError: a figure that does not fit the backbone or the weights.
    """
    return build_embedder(
        config.backbone, config.image_size, config.embedding_dim, config.weights, config.normalize, config.freeze
    )


def network_around(embedder: keras.Model, config: TrainConfig, n_classes: int) -> keras.Model:
    """What an embedder, of images or of features, is trained in; compiled.

    Raises:
        UserError: no such loss, or nothing that could learn.
    """
    loss = make_loss(config.loss, config.margin, config.squared, config.soft)
    batches = batches_for(config.loss)
    if batches == "images":
        network = build_classifier(embedder, n_classes, config.head)
    elif batches == "pairs":
        network = build_siamese(embedder)
    elif batches == "triplets":
        network = build_triplet(embedder)
    else:
        network = embedder
    if config.epochs and not network.trainable_variables:
        raise UserError(f"with --freeze and --loss {config.loss} nothing is left to learn; give --embedding-dim")
    network.compile(
        optimizer=build_optimizer(config),
        loss=loss,
        metrics=["accuracy"] if batches == "images" else None,
        **({"jit_compile": True} if config.xla else {}),
    )
    return network


def embedder_of(network: keras.Model) -> keras.Model:
    """The embedder inside a network; it shares the network's weights."""
    return network if network.name == "embedder" else network.get_layer("embedder")
