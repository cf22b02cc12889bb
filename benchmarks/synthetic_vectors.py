"""Synthetic embeddings: Gaussian clusters, one per class."""

from __future__ import annotations

import numpy as np


def gaussian_clusters(n: int, d: int, c: int, std: float, seed: int, part: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors float32 [n, d] and labels int32 [n] of c clusters, whose centers have variance 1 in every dimension.

    Args:
        n: number of vectors.
        d: dimensions.
        c: number of clusters.
        std: standard deviation within a cluster.
        seed: random seed of the centers.
        part: number of the sample; other numbers give other vectors of the same clusters.
    """
    centers = np.random.default_rng(seed).standard_normal((c, d), dtype=np.float32)
    rng = np.random.default_rng([seed, part])
    labels = rng.integers(0, c, n, dtype=np.int32)
    vectors = rng.standard_normal((n, d), dtype=np.float32)
    vectors *= np.float32(std)
    for start in range(0, n, 100_000):
        vectors[start : start + 100_000] += centers[labels[start : start + 100_000]]
    return vectors, labels
