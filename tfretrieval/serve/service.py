"""`Service`: search, and the slow computations that run once."""

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property, partial
from time import perf_counter

import numpy as np
from starlette.exceptions import HTTPException

from tfretrieval.data.catalog import Catalog
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.retrieval.neighbors import Neighbors
from tfretrieval.retrieval.search_result import SearchResult, search_results
from tfretrieval.serve import schemas
from tfretrieval.serve.background import BackgroundTask
from tfretrieval.serve.collection import Collection
from tfretrieval.serve.limits import Limits
from tfretrieval.serve.maps import MAX_ITEMS, METHODS, Map, compute_map

UNKNOWN_QUERY = Catalog.from_lists([""])


class Service:
    """What the routes of the server share.

    Args:
        collection: the collection to serve.
        limits: limits of requests.
        seed: random seed of the maps.
    """

    def __init__(self, collection: Collection, limits: Limits | None = None, seed: int = 0) -> None:
        self.collection = collection
        self.limits = limits or Limits()
        self.maps: dict[str, BackgroundTask[Map]] = {
            method: BackgroundTask(f"map {method}", partial(compute_map, collection, method, seed))
            for method in METHODS
            if len(collection.gallery) <= MAX_ITEMS[method] or method == "umap"
        }
        self.audit = BackgroundTask("audit", collection.audit)
        # bounds the memory of large images that are decoded at the same time
        self.decoding = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))

    @cached_property
    def items(self) -> bytes:
        """Columns of the gallery, as the JSON of `schemas.Items`."""
        items = self.collection.gallery.items
        columns = {"ids": items.ids.tolist(), "labels": items.labels.tolist(), "splits": items.splits.tolist()}
        return json.dumps(columns).encode()

    def evaluation(self, retriever: str) -> Evaluation:
        """Return the evaluation of a retriever."""
        evaluation = self.collection.evaluations.get(retriever)
        if evaluation is None:
            raise HTTPException(404, f"retriever {retriever!r} has no evaluation; run `tfret evaluate`")
        return evaluation

    def map_task(self, method: str) -> BackgroundTask[Map]:
        """Return the task that computes a map."""
        if method not in self.maps:
            raise HTTPException(404, f"unknown map {method!r}; choose from {', '.join(self.maps)}")
        return self.maps[method]

    def search(
        self, vector: np.ndarray, k: int, methods: Sequence[str], classes: Sequence[str], exclude: str | None = None
    ) -> schemas.SearchResponse:
        """Search the neighbors of a vector.

        Args:
            vector: float32 [d], the query.
            k: at least 1.
            methods: "retriever" or "retriever:re-ranker"; by default the first retriever.
            classes: classes to search; all by default.
            exclude: id of an item to exclude.
        """
        results = []
        for method in dict.fromkeys(methods or [next(iter(self.collection.indexes))]):
            retriever, _, reranker = method.partition(":")
            started = perf_counter()
            neighbors = self.collection.search(vector, k, retriever, reranker or "none", classes, exclude)
            seconds, described = perf_counter() - started, self._describe(neighbors)
            results.append(
                schemas.SearchResult(
                    retriever=retriever,
                    reranker=reranker or "none",
                    metric=self.collection.indexes[retriever].settings.metric,
                    search_ms=seconds * 1000,
                    vote=None if classes else described.vote,
                    hits=[schemas.Hit(**asdict(hit), row=row) for hit, row in zip(described.hits, neighbors.rows[0])],
                )
            )
        positions = self._query_positions([hit.row for hit in results[0].hits])
        return schemas.SearchResponse(id=None, label=None, embedding_ms=0.0, results=results, positions=positions)

    def _describe(self, neighbors: Neighbors) -> SearchResult:
        if not neighbors.rows.size:
            return SearchResult("", "", "", ())
        return search_results(neighbors, UNKNOWN_QUERY, self.collection.gallery.items)[0]

    def _query_positions(self, rows: list[int]) -> dict[str, list[float]]:
        """Position of the query on each map that is ready; starts no map."""
        maps = {method: task.result(0) for method, task in self.maps.items() if task.is_started}
        positions = {method: result.query_position(rows) for method, result in maps.items() if result is not None}
        return {method: position for method, position in positions.items() if position is not None}
