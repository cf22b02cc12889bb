"""Pairwise distances of a batch, and its positive and negative pairs."""

from __future__ import annotations

import tensorflow as tf

from tfretrieval.models.layers import safe_sqrt


def pairwise_distances(embeddings: tf.Tensor, squared: bool = False) -> tf.Tensor:
    """Euclidean or squared Euclidean distances of all pairs: float [b, d] -> [b, b], 0 on the diagonal."""
    norms = tf.reduce_sum(tf.square(embeddings), axis=1)
    products = tf.matmul(embeddings, embeddings, transpose_b=True)
    squares = tf.maximum(norms[:, None] - 2.0 * products + norms[None, :], 0.0)
    squares *= 1.0 - tf.eye(tf.shape(embeddings)[0], dtype=embeddings.dtype)
    return squares if squared else safe_sqrt(squares)


def class_masks(labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Masks of the positive pairs (two items of one class) and the negative pairs: labels [b] -> bool [b, b] each."""
    labels = tf.reshape(labels, [-1])
    same = labels[:, None] == labels[None, :]
    return same & ~tf.eye(tf.size(labels), dtype=tf.bool), ~same
