"""How well the held-out part is retrieved after every epoch."""

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
from tfretrieval.training.features import engine_of

log = logging.getLogger(__name__)

MAX_GALLERY = 2000


class RetrievalMetrics:
    """Measures the network in training, and warns when its embedding collapses.

    Held-out images are the queries, training images the gallery, as test and train will be.

    Args:
        embedder: the part of the network in training that makes embeddings.
        queries: held-out images, or their features where the embedder takes those.
        gallery: training images, likewise; of more than 2,000 a fixed random part is taken.
        metric: "cosine" or "euclidean".
        seed: of that part.
    """

    def __init__(self, embedder: keras.Model, queries: Table, gallery: Table, metric: str, seed: int) -> None:
        self._engine = engine_of(embedder)
        self._queries = queries
        self._gallery = gallery
        self._metric = metric
        rows = np.random.default_rng(seed).permutation(len(gallery))[:MAX_GALLERY]
        self._rows = np.sort(rows)
        self._warned = False

    def after_epoch(self) -> dict[str, float]:
        """What `measure` gives; a collapse is warned of once."""
        measured = self.measure()
        if measured["spread"] < COLLAPSED and not self._warned:
            log.warning(ADVICE.format(spread=measured["spread"]))
            self._warned = True
        return measured

    def measure(self) -> dict[str, float]:
        """`val_map`, `val_precision_at_1` and `spread` of the network as it is now."""
        queries = self._store(self._queries, None)
        gallery = self._store(self._gallery, self._rows)
        everything = np.concatenate([queries.vectors, gallery.vectors])
        if not np.isfinite(everything).all():
            return {"val_map": 0.0, "val_precision_at_1": 0.0, "spread": 0.0}
        index = Index.build(gallery, FaissSettings(metric=self._metric))
        metrics = evaluate(index, queries, ks=(1,), vote_k=1, n_bootstrap=0).metrics
        return {
            "val_map": metrics["map"],
            "val_precision_at_1": metrics["precision_at_1"],
            "spread": spread(everything),
        }

    def _store(self, table: Table, rows: np.ndarray | None) -> Embeddings:
        vectors = self._engine.embed_table(table, rows)
        return Embeddings(table.catalog if rows is None else table.catalog.subset(rows), vectors)
