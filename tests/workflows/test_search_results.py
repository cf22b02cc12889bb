"""Queries and what was found for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tfretrieval.data.read_image import read_image
from tfretrieval.errors import UserError
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.search_results import hardest_answers, image_rows, panels, random_answers


@pytest.fixture
def result(run, catalog):
    return evaluate_run(run, catalog, keep=False)


@pytest.mark.parametrize("side", ["queries", "gallery"])
def test_an_image_is_not_its_own_neighbor(result, side):
    found = random_answers(result.index, getattr(result, side), result.gallery, k=17, n_queries=4, seed=0)
    assert len(found) == 4
    for answer in found:
        assert len(answer.ids) == len(set(answer.ids)) == 17
        assert answer.id not in answer.ids
        assert list(answer.distances) == sorted(answer.distances)


def test_neighbors_are_those_that_the_index_names_with_their_classes(result):
    (answer,) = random_answers(result.index, result.queries, result.gallery, k=3, n_queries=1, seed=5)
    row = list(result.queries.ids).index(answer.id)
    rows = result.index.search(result.queries.vectors[[row]], 3)[1][0]
    assert list(answer.ids) == list(result.gallery.ids[rows])
    assert list(answer.labels) == [name.split("/")[1] for name in answer.ids]


def test_more_neighbors_than_there_are_is_a_users_mistake(result):
    with pytest.raises(UserError, match="cannot draw 18 neighbors: the gallery has 17"):
        random_answers(result.index, result.queries, result.gallery, 18, 1, 0)


def test_the_hardest_come_first_and_carry_their_precision(result):
    precision = dict(zip(result.evaluation.per_query["id"], result.evaluation.per_query["average_precision"]))
    found = hardest_answers(result, 2, 5)
    assert [answer.average_precision for answer in found] == sorted(precision.values())[:5]
    assert all(precision[answer.id] == answer.average_precision for answer in found)
    assert found[0].note == f"AP {min(precision.values()):.3f}"


def test_a_row_of_a_page_says_right_and_wrong_and_holds_the_images(result):
    found = hardest_answers(result, 4, 3)
    for answer, row in zip(found, image_rows(found)):
        np.testing.assert_array_equal(row.query.pixels, read_image(answer.path, 128, fit="pad"))
        assert [image.is_correct for image in row.neighbors] == [label == answer.label for label in answer.labels]
    (open_row,) = image_rows([replace(found[0], label="")])
    assert {image.is_correct for image in open_row.neighbors} == {None}


def test_a_file_that_is_gone_is_black(result):
    (answer,) = hardest_answers(result, 1, 1)
    (panel,) = panels([replace(answer, path="/nowhere.jpg")])
    assert not panel.query_image.any()
    assert panel.neighbor_images[0].any()
