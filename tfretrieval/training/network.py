"""The compiled network of a training run: an embedder inside the network that its loss needs."""

from __future__ import annotations

import keras

from tfretrieval.errors import UserError
from tfretrieval.losses import loss_spec
from tfretrieval.models.embedder import build_embedder
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.optimizers import build_optimizer


def build_network(config: TrainConfig, n_classes: int) -> keras.Model:
    """The compiled network of a run.

    Raises:
        UserError: a setting does not fit the backbone, its weights or the loss.
    """
    return wrap_embedder(embedder_from_config(config), config, n_classes)


def embedder_from_config(config: TrainConfig) -> keras.Model:
    """The embedder of a run.

    Raises:
        UserError: a setting does not fit the backbone or its weights.
    """
    return build_embedder(
        config.backbone, config.image_size, config.embedding_dim, config.weights, config.normalize, config.freeze
    )


def wrap_embedder(embedder: keras.Model, config: TrainConfig, n_classes: int) -> keras.Model:
    """The compiled network around an embedder of images or of features.

    Raises:
        UserError: the loss is unknown, or no weight is trainable.
    """
    spec = loss_spec(config.loss)
    loss = spec.build_loss(margin=config.margin, squared=config.squared, soft=config.soft)
    network = spec.wrap(embedder, n_classes, config.head)
    if config.epochs and not network.trainable_variables:
        raise UserError(f"--freeze with --loss {config.loss} leaves no trainable weights; set --embedding-dim")
    network.compile(
        optimizer=build_optimizer(config),
        loss=loss,
        metrics=["accuracy"] if spec.is_classifier else None,
        **({"jit_compile": True} if config.xla else {}),
    )
    return network


def embedder_of(network: keras.Model) -> keras.Model:
    """The embedder inside a network; it shares the network's weights."""
    return network if network.name == "embedder" else network.get_layer("embedder")
