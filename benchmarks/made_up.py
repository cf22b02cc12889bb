"""Vectors that stand for embeddings: Gaussian clusters, one a class."""

from __future__ import annotations

import numpy as np


def clusters(n: int, d: int, c: int, within: float, seed: int, part: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors float32 [n, d] and labels int32 [n] from c clusters.

    Args:
        n: how many.
        d: dimensions.
        c: clusters; their centres have variance 1 in each dimension.
        within: standard deviation inside a cluster.
        seed: of the centres.
        part: another number draws other vectors from the same clusters.
    """
    centres = np.random.default_rng(seed).standard_normal((c, d), dtype=np.float32)
    rng = np.random.default_rng([seed, part])
    labels = rng.integers(0, c, n, dtype=np.int32)
    vectors = rng.standard_normal((n, d), dtype=np.float32)
    vectors *= np.float32(within)
    for start in range(0, n, 100_000):
        vectors[start : start + 100_000] += centres[labels[start : start + 100_000]]
    return vectors, labels
