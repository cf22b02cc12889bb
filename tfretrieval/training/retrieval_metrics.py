"""Retrieval metrics on held-out images after every epoch."""

from __future__ import annotations

import logging

import keras
import numpy as np

from tfretrieval.data.pipelines import Table
from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation.evaluator import evaluate
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import FaissSettings
from tfretrieval.training.collapse import ADVICE, COLLAPSED, spread
from tfretrieval.training.table_embedder import TableEmbedder

log = logging.getLogger(__name__)

MAX_GALLERY = 2000


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
        rows = np.random.default_rng(seed).permutation(len(gallery))[:MAX_GALLERY]
        self._rows = np.sort(rows)
        self._warned = False

    def after_epoch(self) -> dict[str, float]:
        """The metrics of `measure`; logs a warning if the embedding has collapsed."""
        metrics = self.measure()
        if metrics["spread"] < COLLAPSED and not self._warned:
            log.warning(ADVICE.format(spread=metrics["spread"]))
            self._warned = True
        return metrics

    def measure(self) -> dict[str, float]:
        """`val_map`, `val_precision_at_1` and `spread` with the current weights, each in 0..1."""
        queries = self._embeddings(self._queries, None)
        gallery = self._embeddings(self._gallery, self._rows)
        vectors = np.concatenate([queries.vectors, gallery.vectors])
        if not np.isfinite(vectors).all():
            return {"val_map": 0.0, "val_precision_at_1": 0.0, "spread": 0.0}
        index = Index.build(gallery, FaissSettings(metric=self._metric))
        metrics = evaluate(index, queries, ks=(1,), vote_k=1, n_bootstrap=0).metrics
        return {
            "val_map": metrics["map"],
            "val_precision_at_1": metrics["precision_at_1"],
            "spread": spread(vectors),
        }

    def _embeddings(self, table: Table, rows: np.ndarray | None) -> Embeddings:
        vectors = self._embedder.embed(table, rows)
        return Embeddings(table.catalog if rows is None else table.catalog.subset(rows), vectors)
