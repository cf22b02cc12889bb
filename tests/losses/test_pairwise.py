"""Tests of pairwise distances and masks."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.losses.pairwise import class_masks, pairwise_distances


@pytest.mark.parametrize("squared", [False, True])
def test_distances_agree_with_numpy(squared):
    points = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    expected = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.testing.assert_allclose(
        pairwise_distances(tf.constant(points), squared), expected**2 if squared else expected, atol=1e-5
    )


def test_diagonal_is_0_far_from_the_origin():
    distances = pairwise_distances(tf.constant(np.full((4, 8), 1000.0, np.float32) + np.eye(4, 8, dtype=np.float32)))
    np.testing.assert_array_equal(np.diag(distances), 0)


def test_positive_and_negative_pairs_of_known_labels():
    positive, negative = class_masks(tf.constant([[3], [5], [3]]))
    np.testing.assert_array_equal(positive, [[0, 0, 1], [0, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(negative, [[0, 1, 0], [1, 0, 1], [0, 1, 0]])
