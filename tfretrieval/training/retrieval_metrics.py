"""Retrieval metrics on held-out images after every epoch."""

import logging

import keras
import numpy as np

from tfretrieval.data.pipelines import Table
from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation.evaluator import evaluate
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import FaissSettings
from tfretrieval.training.table_embedder import TableEmbedder

log = logging.getLogger(__name__)

MAX_GALLERY = 2000
COLLAPSED = 0.01  # spread of a collapsed embedding


class RetrievalMetrics:
    """Measures retrieval with the embedder in training, and warns once if its embedding collapses.

    Args:
        embedder: embedder in training.
        queries: held-out images, or features if the embedder takes features.
        gallery: training images or features; a random sample of 2,000 if there are more.
        metric: "cosine" or "euclidean".
        seed: random seed of the sample.
    """

    def __init__(self, embedder: keras.Model, queries: Table, gallery: Table, metric: str, seed: int) -> None:
        self._embedder = TableEmbedder(embedder)
        self._queries = queries
        self._gallery = gallery
        self._metric = metric
        self._rows = np.sort(np.random.default_rng(seed).permutation(len(gallery))[:MAX_GALLERY])
        self._warned = False

    def measure(self) -> dict[str, float]:
        """`val_map`, `val_precision_at_1` and `spread` with the current weights, each in 0..1."""
        queries = Embeddings(self._queries.catalog, self._embedder.embed(self._queries))
        gallery = Embeddings(self._gallery.catalog.subset(self._rows), self._embedder.embed(self._gallery, self._rows))
        vectors = np.concatenate([queries.vectors, gallery.vectors])
        metrics = {"map": 0.0, "precision_at_1": 0.0}
        if is_finite := bool(np.isfinite(vectors).all()):
            index = Index.build(gallery, FaissSettings(metric=self._metric))
            metrics = evaluate(index, queries, ks=(1,), vote_k=1, n_bootstrap=0).metrics
        width = spread(vectors) if is_finite else 0.0
        if width < COLLAPSED and not self._warned:
            log.warning(
                "the embedding has collapsed: the spread of its vectors is %.2f %% of their length; try a lower "
                "--learning-rate, --loss triplet-semihard or triplet-all, --normalize, or check the labels",
                100 * width,
            )
            self._warned = True
        return {"val_map": metrics["map"], "val_precision_at_1": metrics["precision_at_1"], "spread": width}


def spread(vectors: np.ndarray) -> float:
    """Root mean squared distance of vectors [n, d] to their mean, divided by their root mean squared length.

    Returns:
        0 for identical vectors, at most 1.

    >>> spread(np.array([[1.0, 0.0], [-1.0, 0.0]]))
    1.0
    """
    length = float(np.sqrt(np.mean(np.sum(np.square(vectors, dtype=np.float64), axis=1))))
    if length < 1e-6:
        return 0.0
    centered = vectors - vectors.mean(axis=0, dtype=np.float64)
    return float(np.sqrt(np.mean(np.sum(np.square(centered), axis=1)))) / length
