"""`Index`: a transform and a retriever fitted on the same gallery, and the gallery's items."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.artifacts import ArtifactType
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.items_file import ITEMS, read_items, write_items
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval.base import Filterable, HasVectors, Retriever, StoresItems, Updatable, Where
from tfretrieval.retrieval.neighbors import Neighbors
from tfretrieval.retrieval.settings import FaissSettings, IndexSettings, load_retriever, settings_for
from tfretrieval.retrieval.transform import Transform

INDEX = ArtifactType("index", "index.json", 2, "rebuild it with `tfret index`")


@dataclass(eq=False)
class Index:
    """Finds the gallery items nearest to a query. Self-contained on disk, except for the database of Milvus.

    Attributes:
        items: the n gallery items, row by row.
        transform: fitted on the gallery vectors.
        retriever: fitted on the transformed gallery vectors.
        settings: the settings that it was built with.
        gallery_fingerprint: fingerprint of the gallery embeddings.
        provenance: model, engine, and measurements of the index such as its recall; further keys are allowed.
    """

    items: Catalog
    transform: Transform
    retriever: Retriever
    settings: IndexSettings
    gallery_fingerprint: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        gallery: Embeddings,
        settings: IndexSettings | None = None,
        directory: Path | None = None,
        replace_collection: bool = False,
    ) -> Index:
        """Fit a transform and a retriever on the gallery vectors.

        Args:
            gallery: the items to search.
            settings: by default, an exact FAISS index.
            directory: where the index will be saved; Milvus without an address keeps its database beside it.
            replace_collection: drop a Milvus collection of the same name that holds vectors of another model.

        Raises:
            UserError: the settings do not fit the vectors, or a collection holds vectors of another model.
        """
        settings = settings or FaissSettings()
        transform = settings.new_transform()
        vectors = transform.fit_transform(gallery.vectors)
        retriever, notes = settings.new_retriever(vectors, directory)
        index = cls(gallery.items, transform, retriever, settings, gallery.fingerprint, {**gallery.provenance, **notes})
        if isinstance(retriever, StoresItems):
            replace_stored = replace_collection or settings.owns_storage
            retriever.fit_items(vectors, gallery.items, index.vector_fingerprint, replace_stored)
        else:
            retriever.fit(vectors)
        return index

    def __len__(self) -> int:
        return len(self.items)

    @property
    def dim(self) -> int:
        """Dimension of the gallery vectors after the transform."""
        return self.transform.n_features_out_

    @property
    def vector_fingerprint(self) -> str:
        """Identifies the space of the transformed vectors: model, transform and metric."""
        return f"{self.provenance.get('model', '')}-{self.transform.fingerprint}-{self.settings.metric}"

    @property
    def effective_settings(self) -> IndexSettings:
        """The settings, with automatically chosen values filled in."""
        return self.settings.effective(self.retriever)

    def describe(self) -> str:
        """Short description, such as "FAISS HNSW32, PCA 0.95, cosine distance"."""
        return f"{self.effective_settings.describe()}, {self.settings.metric} distance"

    @property
    def vectors(self) -> np.ndarray | None:
        """The transformed gallery vectors of an exact index in memory, float32 [n, d]; None for others."""
        return self.retriever.vectors_ if isinstance(self.retriever, HasVectors) else None

    def search(
        self, queries: Embeddings | np.ndarray, k: int, where: Where | None = None, exclude_self: bool = False
    ) -> Neighbors:
        """The k nearest gallery items of each query.

        Args:
            queries: q queries, or their vectors [q, d] before the transform.
            k: number of neighbors, 1 <= k <= number of items searched.
            where: restrict the gallery, such as {"classes": ["cat"], "splits": ["train"]}.
            exclude_self: exclude the gallery item with the query's own id; requires `Embeddings`.

        Returns:
            `Neighbors` [q, k]; row -1 where there are fewer than k, as an approximate index may find.

        Raises:
            UserError: k is out of range, the filter leaves fewer than k items, the vectors have another
                dimension, or the index cannot filter.
        """
        if exclude_self and not isinstance(queries, Embeddings):
            raise UserError("exclude_self requires Embeddings: an array of vectors has no ids")
        vectors = self.transform.transform(queries.vectors if isinstance(queries, Embeddings) else queries)
        rows = self.items.rows_where(**where) if where and any(where.values()) else None
        n = len(self) if rows is None else len(rows)
        if not 1 <= k <= n:
            raise UserError(f"cannot return {k} neighbors: k must be 1 to {n}, the number of gallery items to search")
        own_rows = self.items.rows_of(queries.items.ids) if exclude_self else np.array([-1])  # type: ignore[union-attr]
        fetched = min(k + int((own_rows >= 0).any()), n)
        if rows is None or where is None:
            neighbors = Neighbors(*self.retriever.kneighbors(vectors, fetched))
        elif isinstance(self.retriever, Filterable):
            neighbors = Neighbors(*self.retriever.kneighbors_among(vectors, fetched, rows, where))
        else:
            raise UserError(f"the retriever {self.settings.retriever} cannot filter", "use --retriever faiss")
        return neighbors.excluding(own_rows).first(k)

    def add(self, new: Embeddings) -> None:
        """Append items in place, without a rebuild; the transform stays as it was fitted.

        Args:
            new: items with other ids and vectors of the same model.

        Raises:
            UserError: an id is taken, the vectors have another dimension, or the index cannot be changed.
        """
        items = self.items.concat(new.items)
        retriever, vectors = self._updatable(), self.transform.transform(new.vectors)
        if isinstance(retriever, StoresItems):
            retriever.add_items(vectors, new.items)
        else:
            retriever.add(vectors)
        self._change(items, new.fingerprint)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove items in place by their ids.

        Raises:
            UserError: an id is unknown, no item would be left, or the index cannot remove items.
        """
        rows = self.items.rows_of(ids)
        if (rows < 0).any():
            raise UserError(f"the gallery has no item {ids[int(np.argmax(rows < 0))]!r}")
        self._updatable().remove(rows)
        self._change(self.items.subset(np.delete(np.arange(len(self)), rows)), ",".join(ids))

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write `index.json`, `items.parquet`, `transform/` and `retriever/`, atomically."""
        with INDEX.replaced(directory) as temporary:
            write_items(temporary / ITEMS, self.items)
            self.transform.save(temporary / "transform")
            self.retriever.save(temporary / "retriever")
            header = {
                "settings": self.settings.to_json(),
                "class_names": list(self.items.class_names),
                "gallery": self.gallery_fingerprint,
                "provenance": dict(self.provenance),
            }
            INDEX.write_header(temporary, header)

    @classmethod
    def load(cls, directory: str | os.PathLike[str], mmap: bool = False) -> Index:
        """Read an index.

        Args:
            directory: where it was saved.
            mmap: map its vectors into memory, see `Retriever.load`.

        Raises:
            MissingArtifact: there is none.
            CorruptArtifact: it is damaged.
        """
        directory = Path(directory)
        header = INDEX.read_header(directory)
        with INDEX.reading(directory):
            settings = settings_for(**header["settings"])
            items = read_items(directory / ITEMS, header["class_names"], INDEX)
            transform = Transform.load(directory / "transform")
            retriever = load_retriever(directory / "retriever", mmap)
            if len(items) != retriever.n_items_:
                raise ValueError(f"{ITEMS} has {len(items)} items, the retriever {retriever.n_items_}")
            settings.relocate(retriever, directory)
            return cls(items, transform, retriever, settings, header["gallery"], dict(header["provenance"]))

    def _updatable(self) -> Updatable:
        if not isinstance(self.retriever, Updatable):
            raise UserError(f"the retriever {self.settings.retriever} cannot be changed", "rebuild the index")
        return self.retriever

    def _change(self, items: Catalog, change: str) -> None:
        """Replace the items; measurements of the index are dropped."""
        self.items = items
        self.gallery_fingerprint = hashlib.sha256(f"{self.gallery_fingerprint} {change}".encode()).hexdigest()[:16]
        measured = ("recall_at_", "build_seconds")
        self.provenance = {name: value for name, value in self.provenance.items() if not name.startswith(measured)}
