"""`Collection`: what a page shows of a run, in memory, and how it is searched."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.embedding.engine import Engine
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.reranking import RERANKERS, rerank
from tfretrieval.serve.http_errors import Refusal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """A gallery item that a search found.

    Attributes:
        row: of the gallery.
        distance: to the query, as the index measures it.
    """

    row: int
    distance: float


@dataclass(frozen=True, eq=False)
class Collection:
    """A gallery with its indexes, what was measured of them, and the engine that embeds new images.

    Attributes:
        name: of the run.
        gallery: n items that are searched.
        queries: q items that were asked with; the gallery itself where there are no others.
        indexes: kind of retriever -> an index over the gallery.
        evaluations: kind of retriever -> what was measured of it; only of the kinds that can be measured.
        engine: of the model that made the gallery's vectors; None where images cannot be searched by upload.
        facts: what made all this, for people to read: name -> text.
        audit: finds what is wrong with the images, as `tfretrieval.audit.audit.audit` does; None where nothing can.
        directory: where what is computed for the page is kept; None: nowhere.
    """

    name: str
    gallery: Embeddings
    queries: Embeddings
    indexes: Mapping[str, Index]
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
    engine: Engine | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    audit: Callable[[], dict[str, Any]] | None = None
    directory: Path | None = None

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each id of the gallery."""
        return {str(name): row for row, name in enumerate(self.gallery.ids)}

    @cached_property
    def query_row_of(self) -> dict[str, int]:
        """The row of each id of the queries."""
        return {str(name): row for row, name in enumerate(self.queries.ids)}

    def has(self, item: str) -> bool:
        """Whether there is an item of this id."""
        return item in self.row_of or item in self.query_row_of

    def place_of(self, item: str) -> tuple[Embeddings, int]:
        """The embeddings that hold an item, and its row.

        Raises:
            Refusal: there is no such item.
        """
        if item in self.row_of:
            return self.gallery, self.row_of[item]
        if item in self.query_row_of:
            return self.queries, self.query_row_of[item]
        raise Refusal(404, "there is no item of this id")

    def embed(self, pixels: np.ndarray) -> np.ndarray:
        """The vector float32 [d] of an image uint8 [s, s, 3].

        Raises:
            Refusal: there is no engine.
        """
        if self.engine is None:
            raise Refusal(409, "this collection has no model: search by the id of an item")
        return self.engine.embed_pixels(pixels[None])[0]

    def search(
        self,
        vector: np.ndarray,
        k: int,
        kind: str,
        reranker: str = "none",
        classes: Sequence[str] = (),
        without: str | None = None,
    ) -> list[Found]:
        """The k gallery items nearest to a vector float32 [d], fewer where the gallery or a class has no more.

        Args:
            vector: of the query.
            k: at least 1.
            kind: of the index.
            reranker: of `RERANKERS`.
            classes: of what may be found; all where none is named.
            without: an id that is left out, that of the query itself.

        Raises:
            Refusal: an unknown kind, re-ranker or class, or an index that cannot be filtered.
        """
        index = self.indexes.get(kind)
        if index is None:
            raise Refusal(404, f"this collection has no retriever {kind!r}; it has {', '.join(self.indexes)}")
        if reranker not in RERANKERS:
            raise Refusal(404, f"there is no re-ranker {reranker!r}; there are {', '.join(RERANKERS)}")
        if unknown := [name for name in classes if name not in self.gallery.class_names]:
            raise Refusal(404, f"there is no class {unknown[0]!r}")
        most = self._most(classes)
        if most == 0:
            return []
        asked = min(k + (without is not None), most)
        distances, rows = rerank(reranker, self._searching(index, classes, most), self.gallery.vectors, vector, asked)
        found = [Found(int(row), float(distance)) for row, distance in zip(rows, distances) if row >= 0]
        if without is not None:
            found = [item for item in found if str(self.gallery.ids[item.row]) != without]
        return found[:k]

    def class_of(self, items: Embeddings, row: int) -> str | None:
        """The class of an item; None where it is not known."""
        label = int(items.labels[row])
        return items.class_names[label] if label >= 0 else None

    def _most(self, classes: Sequence[str]) -> int:
        """How many gallery items can be found."""
        if not classes:
            return len(self.gallery)
        wanted = [self.gallery.class_names.index(name) for name in classes]
        return int(np.isin(self.gallery.labels, wanted).sum())

    def _searching(self, index: Index, classes: Sequence[str], most: int) -> Callable[..., Any]:
        """A search of vectors [q, d] for k each, among some classes: distances [q, k], rows [q, k]."""

        def search(vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
            deepest = min(k, most, index.retriever.most_neighbors or k)
            try:
                if classes:
                    return index.search_where(vectors, deepest, self.gallery, classes)
                return index.search(vectors, deepest)
            except UserError as error:
                raise Refusal(422, str(error)) from None

        return search
