"""Tests of detecting a collapsed embedding."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.training.collapse import COLLAPSED, spread


def test_identical_vectors_have_the_spread_0():
    assert spread(np.ones((5, 3))) == 0
    assert spread(np.zeros((5, 3))) == 0


def test_vectors_around_the_origin_have_the_spread_1():
    assert spread(np.random.default_rng(0).normal(size=(1000, 8))) == pytest.approx(1, abs=0.01)


def test_spread_does_not_depend_on_scale():
    vectors = np.random.default_rng(0).normal(1, 1, size=(50, 4))
    assert spread(1000 * vectors) == pytest.approx(spread(vectors))


def test_small_noise_around_a_point_is_collapsed():
    assert spread(np.random.default_rng(0).normal(1, 1e-3, size=(50, 4))) < COLLAPSED
