"""Metrics of rankings do not depend on how the queries are divided."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.evaluation import rankers as module
from tfretrieval.evaluation.matching import match
from tfretrieval.evaluation.rankers import GalleryRanker, NeighborRanker, measure_rankings
from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.neighbors import Neighbors

RNG = np.random.default_rng(0)
NAMES = ["a", "b", "c"]


def items(n, prefix):
    return Catalog.from_lists([f"{prefix}{i}" for i in range(n)], RNG.integers(0, 3, n), NAMES)


QUERIES, GALLERY = items(40, "q"), items(90, "g")
MATCHES = match(QUERIES, GALLERY)
VECTORS, GALLERY_VECTORS = (RNG.integers(0, 4, (n, 3)).astype(np.float32) for n in (40, 90))


def rankers():
    vectors = VECTORS[MATCHES.query_rows]
    neighbors = Neighbors(*FaissRetriever().fit(GALLERY_VECTORS).kneighbors(vectors, 90))
    return (
        GalleryRanker(vectors, GALLERY_VECTORS, "euclidean", MATCHES),
        NeighborRanker(neighbors, MATCHES, slice(0, len(vectors))),
    )


def assert_equal(one, other):
    for name, column in one[0].items():
        np.testing.assert_allclose(column, other[0][name], err_msg=name)
    for label, (precision, recall, ap) in one[1].items():
        np.testing.assert_allclose(precision, other[1][label][0])
        np.testing.assert_allclose(recall, other[1][label][1])
        assert ap == pytest.approx(other[1][label][2])


def test_all_distances_and_a_search_of_full_depth_agree():
    whole = slice(0, len(MATCHES.query_rows))
    one, other = (measure_rankings(ranker, MATCHES, whole) for ranker in rankers())
    assert set(one[1]) == {0, 1, 2}
    assert_equal(one, other)


@pytest.mark.parametrize("ranker", [0, 1])
def test_blocks_of_one_query_give_the_same(ranker, monkeypatch):
    whole = slice(0, len(MATCHES.query_rows))
    expected = measure_rankings(rankers()[ranker], MATCHES, whole)
    monkeypatch.setattr(module, "MAX_QUERIES_PER_BLOCK", 1)
    assert_equal(measure_rankings(rankers()[ranker], MATCHES, whole), expected)


def test_a_sample_of_thresholds_changes_only_the_curve(monkeypatch):
    whole = slice(0, len(MATCHES.query_rows))
    expected = measure_rankings(rankers()[0], MATCHES, whole)
    monkeypatch.setattr(module, "THRESHOLD_SAMPLE", 100)
    sampled = measure_rankings(rankers()[0], MATCHES, whole)
    np.testing.assert_array_equal(sampled[0]["map"], expected[0]["map"])
    for label, (_, _, ap) in expected[1].items():
        assert sampled[1][label][2] == pytest.approx(ap, abs=0.1)
