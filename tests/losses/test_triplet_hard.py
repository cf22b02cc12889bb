"""Tests of the triplet loss on the hardest positive and negative; see also `test_mining.py`."""

from __future__ import annotations

import numpy as np

from tfretrieval.losses.triplet_hard import TripletHardLoss


def test_loss_uses_the_farthest_positive_and_the_nearest_negative():
    # anchors 0, 1 and 2 share a class: farthest positives at 4, 3 and 4, the negative at 6, 5 and 2
    value = TripletHardLoss(margin=2.5)([0, 0, 0, 1], np.array([[0.0], [1.0], [4.0], [6.0]], np.float32))
    np.testing.assert_allclose(value, (0.5 + 0.5 + 4.5) / 3, rtol=1e-5)
