"""Label issues."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from tfretrieval.audit import label_issues
from tfretrieval.audit.label_issues import LeaveOneOutRidge, find_label_issues
from tfretrieval.vectors import unit_rows


def clusters(counts, d=24, spread=0.5, seed=0):
    """Units around as many centers as counts, and their classes."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    centers = np.eye(d)[: len(counts)]
    return unit_rows(centers[labels] + rng.normal(0, spread / np.sqrt(d), (len(labels), d))), labels


def flipped(labels, rows, c):
    wrong = labels.copy()
    wrong[rows] = (wrong[rows] + 1) % c
    return wrong


@pytest.mark.parametrize("block", [7, 8192])
def test_predictions_agree_with_models_fitted_without_the_item(block, monkeypatch):
    monkeypatch.setattr(label_issues, "BLOCK", block)
    vectors, labels = clusters([12, 9, 5], d=6)
    rows = np.arange(1, 26)
    own = labels[rows]
    model = LeaveOneOutRidge(vectors, rows, own, 3)
    issues = np.concatenate([part for _, part in model])
    for place, row in enumerate(rows):
        others = np.delete(rows, place)
        ridge = Ridge(alpha=model.ridge).fit(vectors[others].astype(np.float64), np.eye(3)[labels[others]])
        np.testing.assert_allclose(issues[place], ridge.predict(vectors[[row]].astype(np.float64))[0], atol=1e-5)


def test_flipped_labels_are_issues_with_their_original_class():
    vectors, labels = clusters([60, 50, 40])
    rows = np.array([3, 70, 149])
    issues = find_label_issues(vectors, flipped(labels, rows, 3))
    assert sorted(issues.rows) == rows.tolist()
    assert issues.suggested.tolist() == labels[issues.rows].tolist()
    assert (np.diff(issues.scores) <= 0).all()
    assert ((issues.scores > 0.5) & (issues.scores <= 1)).all()


def test_correct_labels_of_imbalanced_classes_are_no_issues():
    vectors, labels = clusters([500, 5, 20])
    assert find_label_issues(vectors, labels).rows.tolist() == []


def test_a_wrong_label_of_a_small_class_is_issues_in_a_large_one():
    vectors, labels = clusters([300, 8])
    wrong = labels.copy()
    wrong[302] = 0
    issues = find_label_issues(vectors, wrong)
    assert (issues.rows[0], issues.suggested[0]) == (302, 1)


def test_small_and_unknown_classes_are_ignored():
    vectors, labels = clusters([20, 20, 3, 1, 10])
    labels = np.where(labels == 4, -1, labels)
    wrong = flipped(labels, np.array([5]), 2)
    issues = find_label_issues(vectors, wrong)
    assert issues.rows.tolist() == [5]
    assert issues.suggested.tolist() == [0]


@pytest.mark.parametrize("labels", [[0] * 12, [-1] * 12, [0] * 9 + [1] * 3, [], list(range(12))])
def test_fewer_than_two_classes_give_no_issues(labels):
    vectors = np.eye(12, dtype=np.float32)[: len(labels)]
    issues = find_label_issues(vectors, np.array(labels, int))
    assert len(issues.rows) == len(issues.scores) == len(issues.suggested) == 0


def test_constant_vectors_give_no_issues():
    labels = np.array([0, 1] * 6)
    for vectors in (np.zeros((12, 3), np.float32), np.ones((12, 3), np.float32)):
        assert find_label_issues(vectors, labels).rows.tolist() == []


def test_more_dimensions_than_items():
    vectors, labels = clusters([8, 8], d=200, spread=0.3)
    assert find_label_issues(vectors, flipped(labels, np.array([2]), 2)).rows.tolist()[0] == 2


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 15), min_size=1, max_size=5))
def test_order_and_numbering_do_not_matter(seed, counts):
    rng = np.random.default_rng(seed)
    vectors, labels = clusters(counts, d=8, spread=1.5, seed=seed)
    labels = np.where(rng.random(len(labels)) < 0.1, -1, rng.permutation(labels))
    issues = find_label_issues(vectors, labels)
    assert (issues.suggested != labels[issues.rows]).all()
    assert (issues.suggested >= 0).all()
    assert (labels[issues.rows] >= 0).all()
    order, names = rng.permutation(len(labels)), np.append(rng.permutation(len(counts)) * 3, -1)
    again = find_label_issues(np.ascontiguousarray(vectors[order]), names[labels][order])
    # items whose margin is but rounding may fall on either side of 0
    clear, clear_again = (each.scores > 1e-4 for each in (issues, again))
    one = dict(zip(issues.rows[clear].tolist(), issues.scores[clear]))
    other = dict(zip(order[again.rows[clear_again]].tolist(), again.scores[clear_again]))
    assert {row: pytest.approx(score, abs=1e-3) for row, score in one.items() if score > 2e-3} == {
        row: score for row, score in other.items() if row in one and one[row] > 2e-3
    }
