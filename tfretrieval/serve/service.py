"""`Service`: a collection with what is computed for its page; from requests in plain values to answers."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from functools import cached_property, partial
from time import perf_counter
from typing import Any, Literal

import numpy as np

from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.evaluation.vote import majority_vote
from tfretrieval.retrieval import in_words
from tfretrieval.retrieval.reranking import RERANKERS
from tfretrieval.serve import schemas as answers
from tfretrieval.serve.background import Later
from tfretrieval.serve.collection import Collection, Found
from tfretrieval.serve.http_errors import Refusal
from tfretrieval.serve.images import ImageFiles, uploaded_pixels
from tfretrieval.serve.limits import MOST_NEIGHBORS, Limits
from tfretrieval.serve.maps import METHODS, MOST, Map, map_of

TWINS: dict[Literal["same file", "near duplicate"], str] = {
    "same file": "duplicates",
    "near duplicate": "near_duplicates",
}


class Service:
    """What the server does, without HTTP.

    Args:
        collection: that is searched.
        limits: of a request.
        seed: of the maps.
    """

    def __init__(self, collection: Collection, limits: Limits | None = None, seed: int = 0) -> None:
        self.collection = collection
        self.limits = limits or Limits()
        self.files = ImageFiles(collection)
        self.maps: dict[str, Later[Map]] = {
            method: Later(f"the map by {method}", partial(map_of, collection, method, seed))
            for method in METHODS
            if len(collection.gallery) <= MOST[method] or method == "umap"
        }

        # as many large images are decoded at a time as there are CPUs, so that their memory is bounded
        self._at_work = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))
        self.audit: Later[dict[str, Any]] | None = collection.audit and Later("the audit", collection.audit)

    @cached_property
    def described(self) -> answers.CollectionAnswer:
        """What can be searched, and how."""
        gallery = self.collection.gallery
        limits = self.limits
        return answers.CollectionAnswer(
            name=self.collection.name,
            n_gallery=len(gallery),
            n_queries=len(self.collection.queries),
            dim=gallery.dim,
            class_names=list(gallery.class_names),
            class_counts=np.bincount(
                gallery.labels[gallery.labels >= 0], minlength=len(gallery.class_names)
            ).tolist(),
            retrievers={
                kind: f"{in_words(kind, index.how())}, {index.settings.metric} distance"
                for kind, index in self.collection.indexes.items()
            },
            rerankers=list(RERANKERS),
            evaluated=list(self.collection.evaluations),
            maps=list(self.maps),
            accepts_uploads=self.collection.engine is not None,
            audits=self.audit is not None,
            limits=answers.LimitsAnswer(
                upload_bytes=limits.upload_bytes, pixels=limits.pixels, in_flight=limits.in_flight,
                neighbors=MOST_NEIGHBORS,
            ),
            facts=dict(self.collection.facts),
        )  # fmt: skip

    @cached_property
    def items(self) -> bytes:
        """The gallery's columns, as the JSON of `ItemsAnswer`."""
        gallery = self.collection.gallery
        columns = {"ids": [str(name) for name in gallery.ids], "labels": gallery.labels.tolist()}
        return json.dumps({**columns, "splits": [str(name) for name in gallery.splits]}).encode()

    def item(self, name: str) -> answers.ItemAnswer:
        """An item of the gallery or of the queries."""
        items, row = self.collection.place_of(name)
        return answers.ItemAnswer(
            id=name,
            label=self.collection.class_of(items, row),
            split=str(items.splits[row]),
            in_gallery=items is self.collection.gallery,
        )

    def search_upload(self, data: bytes, k: int, ways: Sequence[str], classes: Sequence[str]) -> answers.SearchAnswer:
        """The neighbors of an image that came as bytes."""
        started = perf_counter()
        engine = self.collection.engine
        if engine is None:
            raise Refusal(409, "this collection has no model: search by the id of an item")
        with self._at_work:
            vector = self.collection.embed(uploaded_pixels(data, engine.image_size, engine.fit, self.limits.pixels))
        return self._answered(vector, k, ways, classes, (perf_counter() - started) * 1000, None)

    def search_item(self, name: str, k: int, ways: Sequence[str], classes: Sequence[str]) -> answers.SearchAnswer:
        """The neighbors of an item, without itself."""
        items, row = self.collection.place_of(name)
        return self._answered(np.asarray(items.vectors[row]), k, ways, classes, 0.0, (items, row))

    def map_state(self, method: str) -> answers.MapAnswer:
        """Whether a map is ready; the first question starts the work."""
        later = self._map(method)
        made = later.value(0)
        return answers.MapAnswer(method=method, state=later.state, n=len(made.rows) if made else 0, reason=later.reason)

    def map_points(self, method: str) -> bytes:
        """Rows int32 [m], then x and y float32 [m, 2], little-endian, of a map that is ready."""
        made = self._map(method).value(0)
        if made is None:
            raise Refusal(409, "the map is not ready")
        return made.rows.astype("<i4").tobytes() + made.points.astype("<f4").tobytes()

    def evaluation(self, kind: str) -> Evaluation:
        """What was measured of a retriever."""
        found = self.collection.evaluations.get(kind)
        if found is None:
            raise Refusal(404, f"nothing was measured of {kind!r}; see `tfret evaluate`")
        return found

    def audited(self) -> answers.AuditAnswer:
        """What is probably wrong with the images; the first question starts the work."""
        if self.audit is None:
            raise Refusal(404, "this collection has no files that could be looked over")
        found = self.audit.value(0) or {}
        return answers.AuditAnswer(
            state=self.audit.state,
            reason=self.audit.reason,
            n_suspects=found.get("n_suspects") or 0,
            suspects=found.get("suspects") or [],
            twins=[
                answers.Twins(
                    kind=kind,
                    items=[self.item(name) for name in group["ids"] if self.collection.has(name)],
                    labels_differ=group["labels_differ"],
                    splits_differ=group["splits_differ"],
                )
                for kind, key in TWINS.items()
                for group in found.get(key, ())
            ],
        )

    def _map(self, method: str) -> Later[Map]:
        if method not in self.maps:
            raise Refusal(404, f"there is no map {method!r}; there are {', '.join(self.maps)}")
        return self.maps[method]

    def _answered(
        self,
        vector: np.ndarray,
        k: int,
        ways: Sequence[str],
        classes: Sequence[str],
        embedding: float,
        asking: tuple[Embeddings, int] | None,
    ) -> answers.SearchAnswer:
        name = None if asking is None else str(asking[0].ids[asking[1]])
        found_by, answered = [], []
        for way in dict.fromkeys(ways or [next(iter(self.collection.indexes))]):
            kind, _, reranker = way.partition(":")
            started = perf_counter()
            found = self.collection.search(vector, k, kind, reranker or "none", classes, without=name)
            took = (perf_counter() - started) * 1000
            found_by.append(found)
            answered.append(self._answer(kind, reranker or "none", took, found, votes=not classes))
        return answers.SearchAnswer(
            id=name,
            label=None if asking is None else self.collection.class_of(*asking),
            embedding_milliseconds=embedding,
            answers=answered,
            places=self._places(found_by[0]),
        )

    def _answer(self, kind: str, reranker: str, took: float, found: list[Found], votes: bool) -> answers.Answer:
        gallery = self.collection.gallery
        rows = [item.row for item in found]
        vote = int(majority_vote(gallery.labels[rows][None])[0]) if rows and votes else -1
        return answers.Answer(
            retriever=kind,
            reranker=reranker,
            metric=self.collection.indexes[kind].settings.metric,
            milliseconds=took,
            vote=gallery.class_names[vote] if vote >= 0 else None,
            neighbors=[
                answers.Neighbor(
                    rank=rank,
                    id=str(gallery.ids[item.row]),
                    label=self.collection.class_of(gallery, item.row),
                    split=str(gallery.splits[item.row]),
                    distance=item.distance,
                    row=item.row,
                )
                for rank, item in enumerate(found, start=1)
            ],
        )

    def _places(self, found: list[Found]) -> dict[str, list[float]]:
        """Where the query lies on the maps that are ready; none is started for it."""
        places = {}
        for method, later in self.maps.items():
            made = later.value(0) if later.begun else None
            if made is not None and (place := made.place(found)):
                places[method] = place
        return places
