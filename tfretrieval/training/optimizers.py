"""Optimizers of a training run."""

from typing import Any

import keras

from tfretrieval.training.config import TrainConfig

CLIP_NORM = 1.0  # of each weight's gradient under SGD, so that one bad batch cannot ruin pretrained weights


def build_optimizer(config: TrainConfig) -> keras.optimizers.Optimizer:
    """The optimizer of a training configuration."""
    ema: dict[str, Any] = {"use_ema": True, "ema_momentum": config.ema} if config.ema else {}
    if config.optimizer == "adam":
        return keras.optimizers.Adam(config.learning_rate, **ema)
    return keras.optimizers.SGD(config.learning_rate, momentum=config.momentum, clipnorm=CLIP_NORM, **ema)


def set_steps_per_epoch(network: keras.Model, steps: int) -> None:
    """Let the moving average of the weights, if any, replace them after the last optimizer step of an epoch."""
    optimizer = getattr(network.optimizer, "inner_optimizer", network.optimizer)
    if optimizer.use_ema:
        optimizer.ema_overwrite_frequency = steps
