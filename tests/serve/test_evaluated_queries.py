"""Hardest and confused queries, worked by hand: three queries on a line, two classes in the gallery."""

from __future__ import annotations

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation import evaluate
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import settings_for
from tfretrieval.serve.evaluated_queries import confused_queries, hardest_queries, most_confused_pairs


@pytest.fixture(scope="module")
def evaluation():
    """Gallery a at 0 and 4, b at 1 and 5. Queries of a at 0.1 (correct), 0.9 and 5.2 (nearest b)."""
    gallery = Embeddings.from_arrays(np.array([[0], [4], [1], [5]]), [0, 0, 1, 1], ["a", "b"], ["a0", "a4", "b1", "b5"])
    queries = Embeddings.from_arrays(np.array([[0.1], [0.9], [5.2]]), [0, 0, 0], ["a", "b"], ["right", "near", "far"])
    return evaluate(Index.build(gallery, settings_for("knn", metric="euclidean")), queries, n_bootstrap=0)


def test_hardest_queries_have_the_lowest_average_precision(evaluation):
    result = hardest_queries(evaluation, 5)
    # right: a b a b, (1 + 2/3) / 2; near: b a a b, (1/2 + 2/3) / 2; far: b a b a, (1/2 + 2/4) / 2
    assert [(one.id, round(one.average_precision, 4)) for one in result.queries] == [
        ("far", 0.5), ("near", 0.5833), ("right", 0.8333),
    ]  # fmt: skip
    assert result.total == 3
    assert [one.id for one in hardest_queries(evaluation, 1).queries] == ["far"]


def test_confused_queries_are_those_of_the_cell_nearest_first(evaluation):
    result = confused_queries(evaluation, "a", "b", 5)
    assert [(one.id, one.nearest_id, one.nearest_label) for one in result.queries] == [
        ("near", "b1", "b"), ("far", "b5", "b"),
    ]  # fmt: skip
    assert [one.nearest_distance for one in result.queries] == pytest.approx([0.1, 0.2], abs=1e-6)
    assert [one.id for one in confused_queries(evaluation, "a", "a", 5).queries] == ["right"]
    assert confused_queries(evaluation, "a", "b", 1).total == 2
    assert confused_queries(evaluation, "b", "a", 5).total == 0
    with pytest.raises(HTTPException, match="'c'"):
        confused_queries(evaluation, "a", "c", 5)


def test_confused_pairs_exclude_the_diagonal(evaluation):
    (pair,) = most_confused_pairs(evaluation, 5).pairs
    assert (pair.label, pair.nearest_label, pair.count, pair.share) == ("a", "b", 2, pytest.approx(2 / 3))
