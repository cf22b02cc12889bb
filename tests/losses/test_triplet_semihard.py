"""Tests of the triplet loss on semi-hard negatives; see also `test_mining.py`."""

from __future__ import annotations

import numpy as np

from tfretrieval.losses.triplet_semihard import TripletSemiHardLoss


def test_loss_uses_the_nearest_negative_that_is_farther_than_the_positive():
    # positives at 2; from anchor 0 the negatives are at 1, 3 and 5, from anchor 1 at 1, 1 and 3
    embeddings = np.array([[0.0], [2.0], [1.0], [3.0], [5.0]], np.float32)
    value = TripletSemiHardLoss(margin=2.0)([0, 0, 1, 2, 3], embeddings)
    np.testing.assert_allclose(value, ((2 - 3 + 2) + (2 - 3 + 2)) / 2, rtol=1e-5)


def test_without_a_farther_negative_the_farthest_is_used():
    # positives at 4; the negative is at 1 from anchor 0 and at 3 from anchor 1
    value = TripletSemiHardLoss(margin=1.0)([0, 0, 1], np.array([[0.0], [4.0], [1.0]], np.float32))
    np.testing.assert_allclose(value, ((4 - 1 + 1) + (4 - 3 + 1)) / 2, rtol=1e-5)
