"""Losses of tensorflow-addons by name. The only file that imports it."""

import warnings
from collections.abc import Callable
from typing import Any

import keras

from tfretrieval.errors import UserError, require


def addons_loss(name: str, margin: float = 1.0, squared: bool = False, soft: bool = False) -> keras.losses.Loss:
    """A loss of tensorflow-addons.

    Args:
        name: "contrastive", "triplet-semihard", "triplet-hard", "npairs" or "lifted".
        margin: margin, above 0.
        squared: compare squared distances.
        soft: soft margin, supported by "triplet-hard" only.

    Raises:
        UserError: the `addons` extra is not installed, or the loss does not support an option.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        losses = require("tensorflow_addons", "addons").losses
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
