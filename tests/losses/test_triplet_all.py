"""Tests of the triplet loss on all triplets of a batch; see also `test_mining.py`."""

from __future__ import annotations

import numpy as np

from tfretrieval.losses.triplet_all import TripletAllLoss


def test_loss_is_the_mean_of_the_triplets_above_0():
    # the negative is at 3 from anchor 0 and at 2 from anchor 1, the positive at 1: max(1 - 3 + 1.5, 0), 1 - 2 + 1.5
    value = TripletAllLoss(margin=1.5)([0, 0, 1], np.array([[0.0], [1.0], [3.0]], np.float32))
    np.testing.assert_allclose(value, 0.5, rtol=1e-5)
