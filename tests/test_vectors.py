import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.vectors import checked_vectors, unit_rows


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([1.0, 2.0], "shape"),
        (np.zeros((2, 0)), "shape"),
        ([["a", "b"]], "numbers"),
        ([[1.0], [1.0, 2.0]], "numbers"),
        ([[np.nan, 0.0]], "NaN"),
        ([[np.inf, 0.0]], "NaN"),
        ([[-1e20, 0.0]], "beyond"),
        ([[1.0, 2.0, 3.0]], "3 dimensions where 2"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused_in_one_line(bad, words):
    with pytest.raises(UserError, match=words) as caught:
        checked_vectors(bad, "queries", dim=2)
    assert "\n" not in str(caught.value)


def test_float32_is_not_copied():
    vectors = np.ones((3, 2), np.float32)
    assert checked_vectors(vectors) is vectors


def test_unit_rows_keep_zeros_and_survive_tiny_and_huge_rows():
    rows = unit_rows(np.array([[0, 0], [3e-20, 4e-20], [3e14, 4e14]], np.float32))
    np.testing.assert_allclose(rows, [[0, 0], [0.6, 0.8], [0.6, 0.8]], rtol=1e-6)
