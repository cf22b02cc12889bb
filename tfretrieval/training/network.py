"""The compiled network of a training run: an embedder inside the network that its loss needs."""

import keras

from tfretrieval.errors import UserError
from tfretrieval.losses import loss_spec
from tfretrieval.models.embedder import build_embedder
from tfretrieval.models.head import head_of
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.optimizers import build_optimizer


def build_network(config: TrainConfig, n_classes: int, frozen: keras.Model | None = None) -> keras.Model:
    """The compiled network of a run.

    Args:
        config: settings of the run.
        n_classes: number of classes.
        frozen: embedder with a frozen backbone; the network takes features and contains its head only.

    Raises:
        UserError: a setting does not fit the backbone, its weights or the loss, or no weight is trainable.
    """
    embedder = embedder_from_config(config) if frozen is None else head_of(frozen)
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


def embedder_from_config(config: TrainConfig) -> keras.Model:
    """The embedder of a run.

    Raises:
        UserError: a setting does not fit the backbone or its weights.
    """
    return build_embedder(
        config.backbone, config.image_size, config.embedding_dim, config.weights, config.normalize, config.freeze
    )


def embedder_of(network: keras.Model) -> keras.Model:
    """The embedder inside a network; it shares the network's weights."""
    return network if network.name == "embedder" else network.get_layer("embedder")
