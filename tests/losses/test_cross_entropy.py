"""Tests of cross-entropy."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.losses.cross_entropy import cross_entropy


def test_predictions_are_logits():
    loss = cross_entropy()
    assert float(loss(np.array([1]), np.array([[0.0, 30.0]]))) == pytest.approx(0, abs=1e-6)
    assert float(loss(np.array([1]), np.array([[0.0, 0.0]]))) == pytest.approx(np.log(2))
