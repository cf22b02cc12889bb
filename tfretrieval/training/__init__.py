"""Training: the configuration, the fit, and what happens at the end of every epoch."""

from tfretrieval.training.config import TrainConfig

__all__ = ["TrainConfig"]
