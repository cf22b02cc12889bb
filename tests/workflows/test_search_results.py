"""Search results for figures and reports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tfretrieval.data.read_image import read_image
from tfretrieval.errors import UserError
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.search_results import hardest_results, image_rows, random_results


@pytest.fixture
def evaluated(run, catalog):
    return evaluate_run(run, catalog)


@pytest.mark.parametrize("role", ["queries", "gallery"])
def test_an_image_is_not_its_own_hit(evaluated, role):
    results = random_results(evaluated.index, getattr(evaluated, role), k=17, n_queries=4, seed=0)
    assert len(results) == 4
    for result in results:
        ids, distances = [hit.id for hit in result.hits], [hit.distance for hit in result.hits]
        assert len(ids) == len(set(ids)) == 17
        assert result.id not in ids
        assert distances == sorted(distances)


def test_hits_are_those_of_the_index_with_their_classes(evaluated):
    (result,) = random_results(evaluated.index, evaluated.queries, k=3, n_queries=1, seed=5)
    row = evaluated.queries.items.rows_of([result.id])
    rows = evaluated.index.search(evaluated.queries.vectors[row], 3).rows[0]
    assert [hit.id for hit in result.hits] == list(evaluated.gallery.items.ids[rows])
    assert [hit.label for hit in result.hits] == [hit.id.split("/")[1] for hit in result.hits]


@pytest.mark.parametrize(("role", "largest"), [("queries", 18), ("gallery", 17)])
def test_more_neighbors_than_gallery_items_is_an_error(evaluated, role, largest):
    items = getattr(evaluated, role)
    (result,) = random_results(evaluated.index, items, largest, 1, 0)
    assert len(result.hits) == largest
    with pytest.raises(UserError, match=f"compared with {largest} gallery items"):
        random_results(evaluated.index, items, largest + 1, 1, 0)


def test_the_hardest_queries_come_first_with_their_average_precision(evaluated):
    per_query = evaluated.evaluation.per_query
    precision = dict(zip(per_query["id"], per_query["average_precision"]))
    results = hardest_results(evaluated, 2, 5)
    assert [result.average_precision for result in results] == sorted(precision.values())[:5]
    assert all(precision[result.id] == result.average_precision for result in results)
    (row,) = image_rows(results[:1])
    assert row.images[0].note == f"AP {min(precision.values()):.3f}"


def test_image_rows_mark_hits_and_hold_the_images(evaluated):
    results = hardest_results(evaluated, 4, 3)
    for result, row in zip(results, image_rows(results)):
        query, *neighbors = row.images
        np.testing.assert_array_equal(query.pixels, read_image(result.path, 192, resize_mode="pad"))
        roles = ["correct" if hit.label == result.label else "wrong" for hit in result.hits]
        assert [image.role for image in neighbors] == roles
    (unlabeled,) = image_rows([replace(results[0], label="", average_precision=None)])
    assert [image.role for image in unlabeled.images] == ["query", *["unknown"] * 4]
    assert unlabeled.images[0].note == Path(results[0].path).name


def test_a_missing_file_is_black(evaluated):
    (result,) = hardest_results(evaluated, 1, 1)
    (row,) = image_rows([replace(result, path="/nowhere.jpg")])
    assert not row.images[0].pixels.any()
    assert row.images[1].pixels.any()
