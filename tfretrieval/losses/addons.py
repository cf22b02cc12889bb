"""The losses of tensorflow-addons, by name. The only file that imports it."""

from __future__ import annotations

import warnings
from typing import Any

import keras

from tfretrieval.errors import UserError


def make_addons_loss(name: str, margin: float, squared: bool, soft: bool) -> keras.losses.Loss:
    """A loss of tensorflow-addons: `contrastive`, `triplet-semihard`, `triplet-hard`, `npairs` or `lifted`.

    Raises:
        UserError: the `addons` extra is not installed, or there is no such loss, or an option it has not.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from tensorflow_addons import losses
    except ImportError:
        raise UserError(
            f"the loss addons/{name} needs tensorflow-addons: pip install 'tfretrieval[addons]' (Python 3.10 or 3.11)"
        ) from None
    metric = "squared-L2" if squared else "L2"
    options: dict[str, tuple[type, dict[str, Any]]] = {
        "contrastive": (losses.ContrastiveLoss, {"margin": margin}),
        "triplet-semihard": (losses.TripletSemiHardLoss, {"margin": margin, "distance_metric": metric}),
        "triplet-hard": (losses.TripletHardLoss, {"margin": margin, "soft": soft, "distance_metric": metric}),
        "npairs": (NPairs, {}),
        "lifted": (losses.LiftedStructLoss, {"margin": margin}),
    }
    if name not in options:
        raise UserError(f"no loss addons/{name}; there are {', '.join('addons/' + key for key in options)}")
    if soft and name != "triplet-hard":
        raise UserError(f"the loss addons/{name} has no soft form")
    loss_class, arguments = options[name]
    return loss_class(**arguments)


@keras.saving.register_keras_serializable("tfretrieval")
class NPairs(keras.losses.Loss):
    """The n-pairs loss of tensorflow-addons on the similarities of a batch with itself.

    `y_true` is [b], the classes; `y_pred` is [b, d], the embeddings.

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
