"""Tests of cosine similarities."""

from __future__ import annotations

import numpy as np

from tfretrieval.embedding.cosine import cosines


def test_similarity_of_known_rows():
    vectors = np.array([[2.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    reference = np.array([[3.0, 0.0], [0.0, 5.0], [-2.0, -2.0], [0.0, 0.0], [1.0, 0.0]])
    np.testing.assert_allclose(cosines(vectors, reference), [1, 0, -1, 1, 0], atol=1e-6)


def test_similarity_is_at_most_1():
    vectors = np.random.default_rng(0).normal(size=(100, 7)).astype(np.float32)
    values = cosines(vectors, vectors)
    assert values.dtype == np.float64
    assert values.max() <= 1
    np.testing.assert_allclose(values, 1, atol=1e-6)
