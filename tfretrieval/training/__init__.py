"""Training: configuration, recipes, the training loop, checkpoints and distribution."""

from tfretrieval.training.config import TrainConfig

__all__ = ["TrainConfig"]
