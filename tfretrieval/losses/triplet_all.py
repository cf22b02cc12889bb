"""Triplet loss on all triplets of a batch."""

import keras
import tensorflow as tf

from tfretrieval.losses.mining import MiningLoss


@keras.saving.register_keras_serializable("tfretrieval")
class TripletAllLoss(MiningLoss):
    """Mean of max(D(a, p) - D(a, n) + m, 0) over all triplets of the batch whose loss is not 0.

    `y_true` is [b], the classes; `y_pred` is float [b, d], the embeddings. A batch without triplets has the loss 0.

    Args:
        margin: margin m, above 0; not used if `soft`.
        squared: compare squared distances.
        soft: log(1 + exp(x)) in place of max(x + m, 0).

    Raises:
        UserError: the margin is not above 0.

    Source: Hermans, Beyer, Leibe, In defense of the triplet loss, 2017, "batch all", mean over the non-zero terms.
    """

    mean_over_nonzero = True

    def mine(self, distances: tf.Tensor, positive: tf.Tensor, negative: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        gaps = distances[:, :, None] - distances[:, None, :]
        return gaps, positive[:, :, None] & negative[:, None, :]
