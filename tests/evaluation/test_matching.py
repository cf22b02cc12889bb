import numpy as np

from tfretrieval.data.catalog import Catalog
from tfretrieval.evaluation.matching import match


def store(labels, class_names, ids=None):
    paths = ids or [str(row) for row in range(len(labels))]
    return Catalog.from_lists(paths, labels, class_names)


def test_classes_match_by_name_in_any_order():
    matched = match(store([0, 1], ["b", "a"]), store([0, 0, 1], ["a", "b"], ["x", "y", "z"]))
    assert matched.class_names == ("a", "b")
    assert matched.query_rows.tolist() == [1, 0]
    assert matched.query_labels.tolist() == [0, 1]
    assert matched.n_relevant.tolist() == [2, 1]


def test_queries_of_unknown_class_or_without_relevant_items_are_left_out():
    matched = match(store([-1, 0, 1], ["only here", "a"]), store([0, -1], ["a"], ["x", "y"]))
    assert matched.query_rows.tolist() == [2]
    assert matched.n_relevant.tolist() == [1]


def test_a_query_is_not_relevant_to_itself():
    matched = match(
        store([0, 0, 1], ["a", "b"], ["z", "q", "x"]), store([1, 0, 0, 1], ["a", "b"], ["x", "y", "z", "w"])
    )
    assert matched.own_rows.tolist() == [2, -1, 0]
    assert matched.n_relevant.tolist() == [1, 2, 1]
    np.testing.assert_allclose(matched.chance, [1 / 3, 2 / 4, 1 / 3])


def test_the_only_item_of_a_class_has_no_relevant_item():
    items = store([0, 1, 1], ["a", "b"], ["x", "y", "z"])
    assert match(items, items).query_rows.tolist() == [1, 2]


def test_an_id_of_another_class_does_not_lower_the_number_of_relevant_items():
    matched = match(store([0], ["a"], ["x"]), store([1, 0], ["a", "b"], ["x", "y"]))
    assert matched.n_relevant.tolist() == [1]
    assert matched.own_rows.tolist() == [0]
