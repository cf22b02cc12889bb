"""Losses of tensorflow-addons by name. The only file that imports it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from tfretrieval.errors import UserError


def addons_loss(name: str) -> Callable[..., keras.losses.Loss]:
    """The factory of a loss of tensorflow-addons.

    Args:
        name: "contrastive", "triplet-semihard", "triplet-hard", "npairs" or "lifted".

    Returns:
        A function of `margin`, `squared` and `soft` that builds the loss. It raises a `UserError` if the `addons`
        extra is not installed or the loss does not support an option.
    """
    return partial(_build, name)


def _build(name: str, margin: float, squared: bool, soft: bool) -> keras.losses.Loss:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from tensorflow_addons import losses
    except ImportError:
        raise UserError(
            f"the loss addons/{name} needs tensorflow-addons: pip install 'tfretrieval[addons]' (Python 3.10 or 3.11)"
        ) from None
    if soft and name != "triplet-hard":
        raise UserError(f"the loss addons/{name} does not support --soft")
    metric = "squared-L2" if squared else "L2"
    builders: dict[str, Callable[[], keras.losses.Loss]] = {
        "contrastive": lambda: losses.ContrastiveLoss(margin),
        "triplet-semihard": lambda: losses.TripletSemiHardLoss(margin, distance_metric=metric),
        "triplet-hard": lambda: losses.TripletHardLoss(margin, soft=soft, distance_metric=metric),
        "npairs": NPairs,
        "lifted": lambda: losses.LiftedStructLoss(margin),
    }
    return builders[name]()


@keras.saving.register_keras_serializable("tfretrieval")
class NPairs(keras.losses.Loss):
    """N-pairs loss of tensorflow-addons on the similarity matrix of a batch.

    `y_true` is [b], the classes; `y_pred` is float [b, d], the embeddings.

    Source: K. Sohn, Improved deep metric learning with multi-class n-pair loss objective, NIPS 2016.
    """

    def __init__(self, name: str = "npairs", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        import tensorflow as tf
        from tensorflow_addons import losses

        embeddings = tf.convert_to_tensor(y_pred)
        similarities = tf.matmul(embeddings, embeddings, transpose_b=True)
        return losses.npairs_loss(tf.reshape(y_true, [-1]), similarities)
