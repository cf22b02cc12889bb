"""Labels that are probably wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from tfretrieval.audit import label_issues as suspects
from tfretrieval.audit.label_issues import LeaveOneOut, label_suspects
from tfretrieval.vectors import unit_rows


def clusters(counts, d=24, spread=0.5, seed=0):
    """Units around as many centres as counts, and their classes."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    centres = np.eye(d)[: len(counts)]
    return unit_rows(centres[labels] + rng.normal(0, spread / np.sqrt(d), (len(labels), d))), labels


def flipped(labels, rows, c):
    wrong = labels.copy()
    wrong[rows] = (wrong[rows] + 1) % c
    return wrong


@pytest.mark.parametrize("block", [7, 8192])
def test_predictions_are_those_of_a_model_fitted_without_the_item(block, monkeypatch):
    monkeypatch.setattr(suspects, "BLOCK", block)
    vectors, labels = clusters([12, 9, 5], d=6)
    rows = np.arange(1, 26)
    own = labels[rows]
    model = LeaveOneOut(vectors, rows, own, 3)
    found = np.concatenate([part for _, part in model])
    for place, row in enumerate(rows):
        others = np.delete(rows, place)
        ridge = Ridge(alpha=model.ridge).fit(vectors[others].astype(np.float64), np.eye(3)[labels[others]])
        np.testing.assert_allclose(found[place], ridge.predict(vectors[[row]].astype(np.float64))[0], atol=1e-5)


def test_flipped_labels_come_first_with_the_class_that_they_had():
    vectors, labels = clusters([60, 50, 40])
    rows = np.array([3, 70, 149])
    found = label_suspects(vectors, flipped(labels, rows, 3))
    assert sorted(found.rows) == rows.tolist()
    assert found.suggested.tolist() == labels[found.rows].tolist()
    assert (np.diff(found.scores) <= 0).all()
    assert ((found.scores > 0.5) & (found.scores <= 1)).all()


def test_right_labels_raise_no_suspicion_however_uneven_the_classes_are():
    vectors, labels = clusters([500, 5, 20])
    assert label_suspects(vectors, labels).rows.tolist() == []


def test_a_wrong_label_in_a_large_class_points_to_the_small_one():
    vectors, labels = clusters([300, 8])
    wrong = labels.copy()
    wrong[302] = 0
    found = label_suspects(vectors, wrong)
    assert (found.rows[0], found.suggested[0]) == (302, 1)


def test_classes_of_a_few_and_unknown_ones_are_neither_judged_nor_suggested():
    vectors, labels = clusters([20, 20, 3, 1, 10])
    labels = np.where(labels == 4, -1, labels)
    wrong = flipped(labels, np.array([5]), 2)
    found = label_suspects(vectors, wrong)
    assert found.rows.tolist() == [5]
    assert found.suggested.tolist() == [0]


@pytest.mark.parametrize("labels", [[0] * 12, [-1] * 12, [0] * 9 + [1] * 3, [], list(range(12))])
def test_without_two_classes_to_judge_there_are_no_suspects(labels):
    vectors = np.eye(12, dtype=np.float32)[: len(labels)]
    found = label_suspects(vectors, np.array(labels, int))
    assert len(found.rows) == len(found.scores) == len(found.suggested) == 0


def test_vectors_that_are_all_equal_or_zeros_say_nothing():
    labels = np.array([0, 1] * 6)
    for vectors in (np.zeros((12, 3), np.float32), np.ones((12, 3), np.float32)):
        assert label_suspects(vectors, labels).rows.tolist() == []


def test_more_values_than_items():
    vectors, labels = clusters([8, 8], d=200, spread=0.3)
    assert label_suspects(vectors, flipped(labels, np.array([2]), 2)).rows.tolist()[0] == 2


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 15), min_size=1, max_size=5))
def test_order_and_numbering_do_not_matter(seed, counts):
    rng = np.random.default_rng(seed)
    vectors, labels = clusters(counts, d=8, spread=1.5, seed=seed)
    labels = np.where(rng.random(len(labels)) < 0.1, -1, rng.permutation(labels))
    found = label_suspects(vectors, labels)
    assert (found.suggested != labels[found.rows]).all()
    assert (found.suggested >= 0).all()
    assert (labels[found.rows] >= 0).all()
    order, names = rng.permutation(len(labels)), np.append(rng.permutation(len(counts)) * 3, -1)
    again = label_suspects(np.ascontiguousarray(vectors[order]), names[labels][order])
    # items whose margin is but rounding may fall on either side of 0
    clear, clear_again = (each.scores > 1e-4 for each in (found, again))
    one = dict(zip(found.rows[clear].tolist(), found.scores[clear]))
    other = dict(zip(order[again.rows[clear_again]].tolist(), again.scores[clear_again]))
    assert {row: pytest.approx(score, abs=1e-3) for row, score in one.items() if score > 2e-3} == {
        row: score for row, score in other.items() if row in one and one[row] > 2e-3
    }
