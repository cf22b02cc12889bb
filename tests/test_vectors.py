"""Tests of validating and normalizing vectors."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.vectors import checked_vectors, paired_cosines, unit_rows


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([1.0, 2.0], "shape"),
        (np.zeros((2, 0)), "shape"),
        ([["a", "b"]], "numbers"),
        ([[1.0], [1.0, 2.0]], "numbers"),
        ([[np.nan, 0.0]], "NaN"),
        ([[np.inf, 0.0]], "NaN"),
        ([[-1e20, 0.0]], "beyond"),
        ([[1.0, 2.0, 3.0]], "2 dimensions"),
    ],
)
def test_invalid_vectors_are_an_error_in_one_line(values, word):
    with pytest.raises(UserError, match=word) as error:
        checked_vectors(values, "queries", dim=2)
    assert "\n" not in str(error.value)


def test_float32_vectors_are_not_copied():
    vectors = np.ones((3, 2), np.float32)
    assert checked_vectors(vectors) is vectors


def test_zero_tiny_and_huge_rows_are_normalized():
    rows = unit_rows(np.array([[0, 0], [3e-20, 4e-20], [3e14, 4e14]], np.float32))
    np.testing.assert_allclose(rows, [[0, 0], [0.6, 0.8], [0.6, 0.8]], rtol=1e-6)


def test_similarity_of_known_rows():
    vectors = np.array([[2.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    reference = np.array([[3.0, 0.0], [0.0, 5.0], [-2.0, -2.0], [0.0, 0.0], [1.0, 0.0]])
    np.testing.assert_allclose(paired_cosines(vectors, reference), [1, 0, -1, 1, 0], atol=1e-6)


def test_similarity_is_at_most_1():
    vectors = np.random.default_rng(0).normal(size=(100, 7)).astype(np.float32)
    values = paired_cosines(vectors, vectors)
    assert values.dtype == np.float64
    assert values.max() <= 1
    np.testing.assert_allclose(values, 1, atol=1e-6)
