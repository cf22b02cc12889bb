"""From d dimensions to two, for the eye: UMAP and t-SNE.

Neither keeps distances between far groups. t-SNE cannot place new points, so gallery and queries go in
together.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import warnings
from typing import Literal, get_args

import numpy as np

from tfretrieval.errors import UserError
from tfretrieval.progress import bar_options, progress, working

Method = Literal["umap", "tsne"]
FEWEST = 4
TSNE_ITERATIONS = 1000  # what scikit-learn stops at


def project(vectors: np.ndarray, method: Method = "umap", seed: int = 0) -> np.ndarray:
    """Lay n vectors out in the plane; the same seed gives the same image on the same machine.

    UMAP looks at 15 neighbors and t-SNE uses a perplexity of 30, or what n allows. Vectors that are all
    equal come out as zeros. Both run on one thread.

    Args:
        vectors: float [n, d], n >= 4, d >= 1.
        method: "umap" (McInnes et al. 2018) or "tsne" (van der Maaten and Hinton 2008).
        seed: of the layout.

    Returns:
        float32 [n, 2].

    Raises:
        UserError: an unknown method, fewer than 4 vectors, or a value that is not finite.
    """
    if method not in get_args(Method):
        raise UserError(f"{method!r} is no projection; choose {' or '.join(get_args(Method))}")
    vectors = np.asarray(vectors, np.float32)
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        raise UserError(f"a projection needs vectors [n, d], not {vectors.shape}")
    if len(vectors) < FEWEST:
        raise UserError(f"a projection needs at least {FEWEST} vectors, not {len(vectors)}")
    if not np.isfinite(vectors).all():
        raise UserError("a projection needs finite vectors, these hold NaN or infinity")
    if (vectors == vectors[0]).all():
        return np.zeros((len(vectors), 2), np.float32)
    layout, name = (_umap, "UMAP") if method == "umap" else (_tsne, "t-SNE")
    with working(f"{name} of {len(vectors):,} points"):
        return np.ascontiguousarray(layout(vectors, seed), np.float32)


def subsample(n: int, max_points: int, seed: int = 0) -> np.ndarray:
    """Choose at most `max_points` of n rows at random, in rising order, where all are too many to draw.

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
        warnings.simplefilter("ignore")  # of the spectral start, which falls back by itself
        reducer = _umap_class()(
            n_neighbors=min(15, n - 1),
            init="spectral" if n > 20 else "random",
            random_state=seed,
            n_jobs=1,
            tqdm_kwds=bar_options("UMAP") | {"bar_format": None},
        )
        return reducer.fit_transform(vectors)


def _umap_class() -> type:
    """UMAP without its parametric kin, which would load TensorFlow (and takes ten seconds for it)."""
    kin = "umap.parametric_umap"
    _use_threads_of_numba()
    if "tensorflow" in sys.modules or kin in sys.modules:
        from umap import UMAP

        return UMAP
    sys.modules[kin] = None  # type: ignore[assignment]
    try:
        from umap import UMAP
    finally:
        del sys.modules[kin]
    return UMAP


def _use_threads_of_numba() -> None:
    """Keep Numba, which UMAP is compiled by, from the threads of another library.

    Left to itself it takes any TBB that is loaded, also the one that OpenVINO brings for its own use.
    """
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
    with threadpool_limits(1), _Iterations() as said, contextlib.redirect_stdout(said):
        # one thread: on a busy machine those of its gradient wait for each other for minutes
        return TSNE(perplexity=perplexity, init="pca", random_state=seed, verbose=2).fit_transform(vectors)


class _Iterations(io.TextIOBase):
    """Takes what t-SNE says of its iterations and moves a bar by it."""

    def __init__(self) -> None:
        self._bar = progress(None, "t-SNE", total=TSNE_ITERATIONS)

    def write(self, text: str) -> int:
        if found := re.search(r"Iteration (\d+)", text):
            self._bar.update(max(0, int(found[1]) - self._bar.n))
        return len(text)

    def close(self) -> None:
        self._bar.close()
        super().close()
