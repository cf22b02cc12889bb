"""Telling that an embedding has collapsed."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.training.collapse import COLLAPSED, spread


def test_one_point_has_no_spread():
    assert spread(np.ones((5, 3))) == 0
    assert spread(np.zeros((5, 3))) == 0


def test_vectors_around_the_origin_spread_over_their_whole_length():
    assert spread(np.random.default_rng(0).normal(size=(1000, 8))) == pytest.approx(1, abs=0.01)


def test_the_scale_of_the_vectors_does_not_matter():
    vectors = np.random.default_rng(0).normal(1, 1, size=(50, 4))
    assert spread(1000 * vectors) == pytest.approx(spread(vectors))


def test_noise_around_one_point_counts_as_collapsed():
    assert spread(np.random.default_rng(0).normal(1, 1e-3, size=(50, 4))) < COLLAPSED
