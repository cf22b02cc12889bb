"""Distances by difference, against double precision."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.retrieval.distances import all_distances, indexed_distances, pair_distances
from tfretrieval.vectors import unit_rows

RNG = np.random.default_rng(0)
QUERIES, GALLERY = RNG.normal(size=(7, 24)).astype(np.float32), RNG.normal(size=(90, 24)).astype(np.float32)


def expected(queries, gallery, metric):
    if metric == "euclidean":
        return np.sqrt(((queries[:, None].astype(float) - gallery[None]) ** 2).sum(-1))
    return 1 - queries.astype(float) @ gallery.T.astype(float)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_all_pairs_and_named_pairs_agree_with_double_precision(metric):
    queries, gallery = (QUERIES, GALLERY) if metric == "euclidean" else (unit_rows(QUERIES), unit_rows(GALLERY))
    every = all_distances(queries, gallery, metric)
    np.testing.assert_allclose(every, expected(queries, gallery, metric), rtol=1e-5, atol=1e-6)
    rows = RNG.integers(0, len(gallery), (len(queries), 5))
    np.testing.assert_array_equal(
        pair_distances(queries, gallery, rows, metric), np.take_along_axis(every, rows, axis=1)
    )
    whose = RNG.integers(0, len(queries), 11)
    which = RNG.integers(0, len(gallery), 11)
    np.testing.assert_array_equal(indexed_distances(queries, gallery, whose, which, metric), every[whose, which])


def test_equal_vectors_are_at_0_however_long_they_are():
    far = QUERIES + 1e4
    assert not pair_distances(far, far, np.arange(len(far))[:, None], "euclidean").any()


def test_a_vector_of_zeros_is_at_cosine_distance_1_of_everything():
    with_zero = unit_rows(np.concatenate([np.zeros((1, 24), np.float32), GALLERY]))
    every = all_distances(with_zero[:5], with_zero, "cosine")
    np.testing.assert_array_equal(every[0], np.ones(len(with_zero), np.float32))
    np.testing.assert_array_equal(every[:, 0], np.ones(5, np.float32))


def test_no_pairs_no_distances():
    assert pair_distances(QUERIES[:0], GALLERY, np.zeros((0, 3), int), "euclidean").shape == (0, 3)
