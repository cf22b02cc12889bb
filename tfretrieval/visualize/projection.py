"""Projection of embeddings to two dimensions by UMAP or t-SNE.

Neither preserves distances between distant clusters. t-SNE cannot transform new points, so gallery and queries are
projected together.
"""

import os
import sys
import warnings
from typing import Literal

import numpy as np

from tfretrieval.errors import UserError
from tfretrieval.progress import working

Method = Literal["umap", "tsne"]
TITLES: dict[Method, str] = {"umap": "UMAP", "tsne": "t-SNE"}
MIN_POINTS = 4


def project(vectors: np.ndarray, method: Method = "umap", seed: int = 0) -> np.ndarray:
    """Project vectors to the plane; reproducible for a seed on one machine.

    UMAP uses 15 neighbors and t-SNE a perplexity of 30, or less where n requires it. Both run on one thread. If all
    vectors are equal, the result is zeros.

    Args:
        vectors: float [n, d], n >= 4, d >= 1.
        method: "umap" (McInnes et al. 2018) or "tsne" (van der Maaten and Hinton 2008).
        seed: random seed.

    Returns:
        float32 [n, 2].

    Raises:
        UserError: there are fewer than 4 vectors, or a value is not finite.
    """
    vectors = np.asarray(vectors, np.float32)
    if len(vectors) < MIN_POINTS:
        raise UserError(f"a projection needs at least {MIN_POINTS} vectors, not {len(vectors)}")
    if not np.isfinite(vectors).all():
        raise UserError("a projection needs finite vectors, but some values are NaN or infinite")
    if (vectors == vectors[0]).all():
        return np.zeros((len(vectors), 2), np.float32)
    fit = _umap if method == "umap" else _tsne
    with working(f"{TITLES[method]} of {len(vectors):,} points"):
        return np.ascontiguousarray(fit(vectors, seed), np.float32)


def subsample(n: int, max_points: int, seed: int = 0) -> np.ndarray:
    """Return all of n rows, or a sorted random sample of `max_points`.

    Returns:
        int64 [min(n, max_points)].

    >>> subsample(3, 10), len(subsample(10**6, 500))
    (array([0, 1, 2]), 500)
    """
    if n <= max_points:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, size=max_points, replace=False))


def _umap(vectors: np.ndarray, seed: int) -> np.ndarray:
    n = len(vectors)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the spectral initialization, which has a fallback
        reducer = _umap_class()(
            n_neighbors=min(15, n - 1),
            init="spectral" if n > 20 else "random",
            random_state=seed,
            n_jobs=1,
        )
        return reducer.fit_transform(vectors)


def _umap_class() -> type:
    """Import UMAP without Parametric UMAP, which would import TensorFlow for ten seconds."""
    parametric = "umap.parametric_umap"
    _use_numba_threads()
    if "tensorflow" in sys.modules or parametric in sys.modules:
        from umap import UMAP

        return UMAP
    sys.modules[parametric] = None  # type: ignore[assignment]
    try:
        from umap import UMAP
    finally:
        del sys.modules[parametric]
    return UMAP


def _use_numba_threads() -> None:
    """Select Numba's own threading layer; by default it would use a TBB library that OpenVINO has loaded."""
    from numba import config

    if "NUMBA_THREADING_LAYER" not in os.environ:
        config.THREADING_LAYER = "workqueue"  # type: ignore[attr-defined]


def _tsne(vectors: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    n, d = vectors.shape
    if d == 1:
        vectors = np.hstack([vectors, np.zeros_like(vectors)])
    perplexity = min(30.0, (n - 1) / 3)
    with threadpool_limits(1):  # on a busy machine, the threads of the gradient wait for each other for minutes
        return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(vectors)
