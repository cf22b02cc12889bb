from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from tfretrieval.evaluation.vote import knn_accuracy, majority_vote


def test_the_majority_beats_the_nearest():
    assert majority_vote(np.array([[0, 1, 1]])).tolist() == [1]


def test_of_equally_frequent_classes_the_nearer_wins():
    assert majority_vote(np.array([[3, 1, 1, 3], [1, 3, 3, 1], [5, 2, 2, 1, 1][:4]])).tolist() == [3, 1, 2]


def test_items_of_unknown_class_do_not_vote():
    assert majority_vote(np.array([[-1, -1, -1, 4], [-1, -1, -1, -1]])).tolist() == [4, -1]
    np.testing.assert_array_equal(knn_accuracy(np.array([[-1, -1, 4]]), np.array([4])), [1.0])


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=9))
def test_the_vote_agrees_with_counting(labels):
    known = [label for label in labels if label >= 0]
    counts = Counter(known)
    expected = max(counts, key=lambda label: (counts[label], -known.index(label))) if known else -1
    assert majority_vote(np.array([labels]))[0] == expected


def test_agreement_with_scikit_learn_where_two_classes_cannot_tie():
    rng = np.random.default_rng(0)
    gallery, queries = rng.normal(size=(80, 3)), rng.normal(size=(50, 3))
    labels, truth = rng.integers(0, 2, 80), rng.integers(0, 2, 50)
    classifier = KNeighborsClassifier(5).fit(gallery, labels)
    neighbors = labels[classifier.kneighbors(queries)[1]]
    assert knn_accuracy(neighbors, truth).mean() == accuracy_score(truth, classifier.predict(queries))
