"""Tests of the triplet loss on all triplets of a batch; see also `test_mining.py`."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from tfretrieval.losses.triplet_all import TripletAllLoss


def test_loss_is_the_mean_of_the_triplets_above_0():
    # the negative is at 3 from anchor 0 and at 2 from anchor 1, the positive at 1: max(1 - 3 + 1.5, 0), 1 - 2 + 1.5
    value = TripletAllLoss(margin=1.5)([0, 0, 1], np.array([[0.0], [1.0], [3.0]], np.float32))
    np.testing.assert_allclose(value, 0.5, rtol=1e-5)


def test_a_triplet_at_the_margin_has_a_gradient_but_does_not_count():
    # from anchor 0 the gap is 1 - 2, at the margin; from anchor 1 it is 1 - 1. Both push the negative away
    embeddings = tf.Variable([[0.0], [1.0], [2.0]])
    with tf.GradientTape() as tape:
        loss = TripletAllLoss(margin=1.0)([0, 0, 1], embeddings)
    np.testing.assert_allclose(loss, 1.0)
    np.testing.assert_allclose(tape.gradient(loss, embeddings)[2], [-2.0])
