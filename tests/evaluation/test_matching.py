import numpy as np

from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation.matching import match


def store(labels, class_names, ids=None):
    return Embeddings.from_arrays(np.eye(len(labels)), labels, class_names, ids)


def test_classes_match_by_name_in_any_order():
    matched = match(store([0, 1], ["b", "a"]), store([0, 0, 1], ["a", "b"], ["x", "y", "z"]))
    assert matched.class_names == ("a", "b")
    assert matched.query_labels.tolist() == [1, 0]
    assert matched.n_relevant.tolist() == [1, 2]


def test_queries_without_class_or_counterpart_are_left_out():
    matched = match(store([-1, 0, 1], ["only here", "a"]), store([0, -1], ["a"], ["x", "y"]))
    assert matched.query_rows.tolist() == [2]
    assert matched.n_relevant.tolist() == [1]


def test_a_query_is_not_relevant_to_itself_wherever_it_lies():
    matched = match(
        store([0, 0, 1], ["a", "b"], ["z", "q", "x"]), store([1, 0, 0, 1], ["a", "b"], ["x", "y", "z", "w"])
    )
    assert matched.self_rows.tolist() == [2, -1, 0]
    assert matched.n_relevant.tolist() == [1, 2, 1]
    np.testing.assert_allclose(matched.chance, [1 / 3, 2 / 4, 1 / 3])


def test_an_item_that_is_alone_in_its_class_has_nothing_to_find():
    items = store([0, 1, 1], ["a", "b"], ["x", "y", "z"])
    assert match(items, items).query_rows.tolist() == [1, 2]


def test_an_id_under_another_class_in_the_gallery_takes_nothing_away():
    matched = match(store([0], ["a"], ["x"]), store([1, 0], ["a", "b"], ["x", "y"]))
    assert matched.n_relevant.tolist() == [1]
    assert matched.self_rows.tolist() == [0]
