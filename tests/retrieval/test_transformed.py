"""Vectors that are transformed when they are read."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.retrieval.transform import Transform
from tfretrieval.retrieval.transformed import TransformedVectors

VECTORS = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("pca", [None, 3])
def test_blocks_and_rows_are_those_of_the_whole(tmp_path, metric, pca):
    np.save(tmp_path / "v.npy", VECTORS)
    transform = None if pca is None else Transform(pca=pca).fit(VECTORS)
    expected = VECTORS if transform is None else transform.transform(VECTORS)
    if metric == "cosine":
        expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    lazy = TransformedVectors(np.load(tmp_path / "v.npy", mmap_mode="r"), transform, metric)
    assert (len(lazy), lazy.dim) == expected.shape
    np.testing.assert_allclose(np.concatenate(list(lazy.in_blocks(77))), expected, atol=1e-6)
    np.testing.assert_allclose(np.concatenate(list(lazy.in_blocks(10, 5, 38))), expected[5:38], atol=1e-6)
    np.testing.assert_allclose(lazy[np.array([7, 2])], expected[[7, 2]], atol=1e-6)


def test_a_sample_has_distinct_rows_and_follows_the_seed():
    lazy = TransformedVectors(VECTORS)
    rows, sample = lazy.sample(50, seed=3)
    assert len(set(rows.tolist())) == 50
    np.testing.assert_array_equal(sample, VECTORS[rows])
    np.testing.assert_array_equal(rows, lazy.sample(50, seed=3)[0])
    assert lazy.sample(50, seed=4)[0].tolist() != rows.tolist()
    assert len(lazy.sample(1000, seed=3)[0]) == 300
