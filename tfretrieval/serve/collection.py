"""`Collection`: the data of a run that the page shows, and search in it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from starlette.exceptions import HTTPException

from tfretrieval.embedding.engine import Engine
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.neighbors import Neighbors
from tfretrieval.retrieval.reranking import RERANKERS, rerank


@dataclass(frozen=True, eq=False)
class Collection:
    """A gallery with its indexes and evaluations, and the engine that embeds new images.

    Attributes:
        name: name of the run.
        gallery: n gallery items.
        queries: q queries of the evaluations; the gallery if there are no others.
        indexes: retriever type -> index over the gallery.
        evaluations: retriever type -> evaluation, of the types that could be evaluated.
        engine: engine of the gallery's model.
        facts: name -> text, shown on the page.
        audit: computes the result of `tfretrieval.audit.audit.audit`.
        directory: cache directory of maps.
    """

    name: str
    gallery: Embeddings
    queries: Embeddings
    indexes: Mapping[str, Index]
    evaluations: Mapping[str, Evaluation]
    engine: Engine
    facts: Mapping[str, str]
    audit: Callable[[], dict[str, Any]]
    directory: Path

    @cached_property
    def _position_of(self) -> dict[str, tuple[Embeddings, int]]:
        """Id -> embeddings and row; those of the gallery for an item of both."""
        both = (self.queries, self.gallery)
        return {name: (part, row) for part in both for row, name in enumerate(part.items.ids)}

    def __contains__(self, item: str) -> bool:
        return item in self._position_of

    def locate(self, item: str) -> tuple[Embeddings, int]:
        """Return the embeddings that hold an item, and its row.

        Raises:
            HTTPException: 404 if there is no item with this id.
        """
        if item not in self:
            raise HTTPException(404, "no item has this id")
        return self._position_of[item]

    def path_of(self, item: str) -> str:
        """Return the path of an item's file. Ids are never used as paths.

        Raises:
            HTTPException: 404 if there is no item with this id, or it has no file.
        """
        embeddings, row = self.locate(item)
        path = str(embeddings.items.paths[row])
        if not path:
            raise HTTPException(404, "this item has no file")
        return path

    def search(
        self,
        vector: np.ndarray,
        k: int,
        retriever: str,
        reranker: str = "none",
        classes: Sequence[str] = (),
        exclude: str | None = None,
    ) -> Neighbors:
        """Search the k nearest gallery items of a vector.

        Args:
            vector: float32 [d], the query.
            k: at least 1.
            retriever: retriever type.
            reranker: one of `RERANKERS`.
            classes: classes to search; all by default.
            exclude: id of an item to exclude, such as the query itself.

        Returns:
            neighbors of the one query; fewer than k if the gallery has fewer items.

        Raises:
            HTTPException: 404 if retriever, re-ranker or class is unknown; 422 if the index does not support filters.
        """
        index = self.indexes.get(retriever)
        if index is None:
            raise HTTPException(404, f"unknown retriever {retriever!r}; choose from {', '.join(self.indexes)}")
        if reranker not in RERANKERS:
            raise HTTPException(404, f"unknown re-ranker {reranker!r}; choose from {', '.join(RERANKERS)}")
        if unknown := [name for name in classes if name not in self.gallery.items.class_names]:
            raise HTTPException(404, f"unknown class {unknown[0]!r}")
        n_candidates = len(self.gallery.items.rows_where(classes=classes)) if classes else len(self.gallery)
        if n_candidates == 0:
            return Neighbors(np.empty((1, 0), np.float32), np.empty((1, 0), np.int64))
        max_depth = min(n_candidates, index.retriever.max_neighbors or n_candidates)

        def search(vectors: np.ndarray, depth: int) -> Neighbors:
            return index.search(vectors, min(depth, max_depth), {"classes": classes})

        try:
            neighbors = rerank(reranker, search, self.gallery.vectors, vector, k + (exclude is not None))
        except UserError as error:
            raise HTTPException(422, str(error)) from None
        if exclude is not None:
            embeddings, row = self.locate(exclude)
            neighbors = neighbors.excluding(np.array([row if embeddings is self.gallery else -1]))
        return neighbors.first(min(k, int((neighbors.rows >= 0).sum())))
