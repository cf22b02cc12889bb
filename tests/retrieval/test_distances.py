"""Distances against double precision, and the order of neighbors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfretrieval.retrieval import distances as module
from tfretrieval.retrieval.distances import all_distances, row_distances, sort_neighbors
from tfretrieval.vectors import unit_rows

RNG = np.random.default_rng(0)
QUERIES, GALLERY = RNG.normal(size=(7, 24)).astype(np.float32), RNG.normal(size=(90, 24)).astype(np.float32)


def by_definition(queries, gallery, metric):
    if metric == "euclidean":
        return np.sqrt(((queries[:, None].astype(float) - gallery[None]) ** 2).sum(-1))
    return 1 - queries.astype(float) @ gallery.T.astype(float)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_distances_agree_with_double_precision(metric):
    queries, gallery = (QUERIES, GALLERY) if metric == "euclidean" else (unit_rows(QUERIES), unit_rows(GALLERY))
    expected = by_definition(queries, gallery, metric)
    np.testing.assert_allclose(all_distances(queries, gallery, metric), expected, rtol=1e-5, atol=1e-6)
    rows = RNG.integers(0, len(gallery), (len(queries), 5))
    own = row_distances(queries, gallery, rows, metric)
    np.testing.assert_allclose(own, np.take_along_axis(expected, rows, axis=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_equal_vectors_have_distance_0_at_any_norm(metric):
    far = QUERIES + 1e4 if metric == "euclidean" else unit_rows(QUERIES)
    assert not row_distances(far, far, np.arange(len(far))[:, None], metric).any()
    assert not np.diagonal(all_distances(far, far, metric)).any()


def test_equal_gallery_vectors_have_equal_distances_wherever_they_are():
    gallery = np.random.default_rng(1).normal(size=(3000, 33)).astype(np.float32)
    copies = [0, 7, 1023, 1024, 2999]
    gallery[copies] = gallery[0]
    distances = all_distances(QUERIES.repeat(2, axis=1)[:, :33].copy(), gallery, "euclidean")
    assert (distances[:, copies] == distances[:, :1]).all()


def test_a_vector_of_zeros_is_at_cosine_distance_1_from_everything():
    gallery = unit_rows(np.concatenate([np.zeros((1, 24), np.float32), GALLERY]))
    distances = all_distances(gallery[:5], gallery, "cosine")
    np.testing.assert_array_equal(distances[0], 1)
    np.testing.assert_array_equal(distances[:, 0], 1)
    np.testing.assert_array_equal(row_distances(gallery[:2], gallery, np.array([[0, 5], [0, 0]]), "cosine")[:, 0], 1)


def test_tiles_do_not_change_distances(monkeypatch):
    whole = all_distances(QUERIES, GALLERY, "euclidean")
    monkeypatch.setattr(module, "ROWS_PER_TILE", 7)
    np.testing.assert_allclose(all_distances(QUERIES, GALLERY, "euclidean"), whole, rtol=1e-6)


def test_missing_rows_are_infinitely_far_and_no_queries_have_no_distances():
    assert row_distances(QUERIES[:1], GALLERY, np.array([[-1, 3]]), "euclidean")[0, 0] == np.inf
    assert row_distances(QUERIES[:0], GALLERY, np.zeros((0, 3), int), "euclidean").shape == (0, 3)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 99)), min_size=1, max_size=30, unique_by=lambda x: x[1]))
def test_neighbors_are_sorted_by_distance_then_row(pairs):
    distances, rows = sort_neighbors(*(np.array([column]) for column in zip(*pairs)))
    assert list(zip(distances[0].tolist(), rows[0].tolist())) == sorted(pairs)
