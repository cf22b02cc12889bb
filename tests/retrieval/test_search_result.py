"""Search results as people read them, and the vote of the neighbors."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from tfretrieval.data.catalog import Catalog
from tfretrieval.retrieval.neighbors import Neighbors
from tfretrieval.retrieval.search_result import majority_vote, search_results

GALLERY = Catalog.from_lists(["/a", "/b", "/c"], [0, 1, -1], ["cat", "dog"], ["train"] * 3, ["a", "b", "c"])


def test_hits_name_their_items_and_missing_neighbors_are_left_out():
    neighbors = Neighbors(np.float32([[0.25, 1, np.inf]]), np.array([[1, 2, -1]]))
    (result,) = search_results(neighbors, Catalog.from_lists(["/q"], [0], ["bird"]), GALLERY)
    assert (result.id, result.path, result.label, result.vote) == ("/q", "/q", "bird", "dog")
    assert [(hit.rank, hit.id, hit.label, hit.split, hit.distance) for hit in result.hits] == [
        (1, "b", "dog", "train", 0.25),
        (2, "c", "", "train", 1.0),
    ]
    assert json.loads(json.dumps(result.to_json()))["hits"][0]["path"] == "/b"


def test_no_known_class_gives_no_vote():
    (result,) = search_results(Neighbors(np.float32([[1]]), np.array([[2]])), Catalog.from_lists(["/q"]), GALLERY)
    assert result.vote == ""


def test_of_equally_frequent_classes_the_nearer_wins():
    assert majority_vote(np.array([[3, 1, 1, 3], [1, 3, 3, 1], [-1, -1, -1, 4], [-1] * 4])).tolist() == [3, 1, 4, -1]


@given(st.lists(st.integers(-1, 3), min_size=1, max_size=9))
def test_the_vote_agrees_with_counting(labels):
    known = [label for label in labels if label >= 0]
    counts = Counter(known)
    expected = max(counts, key=lambda label: (counts[label], -known.index(label))) if known else -1
    assert majority_vote(np.array([labels]))[0] == expected


def test_the_vote_of_two_classes_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    gallery, queries, labels = rng.normal(size=(80, 3)), rng.normal(size=(50, 3)), rng.integers(0, 2, 80)
    classifier = KNeighborsClassifier(5).fit(gallery, labels)
    votes = majority_vote(labels[classifier.kneighbors(queries, return_distance=False)])
    np.testing.assert_array_equal(votes, classifier.predict(queries))
