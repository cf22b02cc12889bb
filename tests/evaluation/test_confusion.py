import numpy as np
from sklearn.metrics import confusion_matrix

from tfretrieval.evaluation.confusion import confused_pairs, confusion_counts, row_fractions


def test_rows_are_true_classes_and_columns_neighbors():
    counts = confusion_counts(np.array([0, 0, 0, 2]), np.array([0, 1, 1, 0]), 3)
    assert counts.tolist() == [[1, 2, 0], [0, 0, 0], [1, 0, 0]]
    assert counts.dtype == np.int64


def test_shares_are_of_the_row():
    np.testing.assert_allclose(row_fractions(np.array([[3, 1], [0, 4]])), [[0.75, 0.25], [0, 1]])
    np.testing.assert_array_equal(row_fractions(np.zeros((2, 2), int)), np.zeros((2, 2)))


def test_agreement_with_scikit_learn():
    truth, nearest = np.random.default_rng(0).integers(0, 6, (2, 500))
    counts = confusion_counts(truth, nearest, 6)
    np.testing.assert_array_equal(counts, confusion_matrix(truth, nearest, labels=range(6)))
    np.testing.assert_allclose(row_fractions(counts), confusion_matrix(truth, nearest, normalize="true"))


def test_the_most_confused_pairs_come_first_without_the_diagonal():
    counts = np.array([[5, 3, 0], [1, 9, 0], [0, 4, 6]])
    assert confused_pairs(counts, 2) == [(2, 1), (0, 1)]
    assert confused_pairs(counts, 9) == [(2, 1), (0, 1), (1, 0)]
    assert confused_pairs(np.eye(3, dtype=int), 5) == []
