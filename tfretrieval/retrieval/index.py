"""`Index`: a transform and a retriever that were fitted together, and the gallery whose rows they know."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.atomic import read_json, replaced_directory, write_json
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval import load_retriever
from tfretrieval.retrieval.base import Retriever
from tfretrieval.retrieval.items import Items
from tfretrieval.retrieval.joined import joined
from tfretrieval.retrieval.settings import IndexSettings
from tfretrieval.retrieval.transform import Transform

log = logging.getLogger(__name__)

FORMAT = 1


@dataclass(frozen=True)
class Index:
    """What answers queries: vectors of a query go through `transform`, then to `retriever`.

    Attributes:
        settings: how it was built.
        transform: fitted on the gallery.
        retriever: fitted on the transformed gallery; its rows are the gallery's.
        gallery: fingerprint of the embeddings that it was built from.
        made_from: free keys.
    """

    settings: IndexSettings
    transform: Transform
    retriever: Retriever
    gallery: str
    made_from: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        gallery: Embeddings,
        settings: IndexSettings,
        made_from: Mapping[str, Any] | None = None,
        directory: Path | None = None,
        replace_others: bool = False,
        memory_limit: int | None = None,
    ) -> Index:
        """Fit transform and retriever on the gallery's vectors.

        With a target recall the retriever is chosen first, and `made_from["tuning"]` keeps what was tried.

        Args:
            gallery: what is searched.
            settings: how.
            made_from: free keys to keep.
            directory: where the index will be saved. Milvus without an address keeps its database beside it.
            replace_others: drop a Milvus collection under the same name that holds vectors of another model.
            memory_limit: bytes that this process may have in RAM. A FAISS index that would take more is built in shards
                and searched from the disk; it is an IVF index then, and the transform is fitted on a sample.

        Raises:
            UserError: settings that do not fit the vectors; a collection of another model's vectors; a limit that is
                too low.
        """
        if memory_limit is not None and beyond(memory_limit, gallery.vectors):
            return cls._within(gallery, settings, made_from, directory, memory_limit)
        transform, retriever = settings.unfitted()
        vectors = transform.fit_transform(gallery.vectors)
        kept = dict(made_from or {})
        if settings.target_recall:
            from tfretrieval.retrieval.tuning import tune

            tuned = tune(vectors, settings.target_recall, settings.metric)
            kept["tuning"] = tuned.to_json()
            retriever.set_params(factory=tuned.chosen.factory, search=tuned.chosen.search or None)
        _place(retriever, settings, directory)
        retriever.replaces = replace_others or settings.uri is None
        retriever.fit(vectors, items=_items(gallery, transform, settings.metric))
        return cls(settings, transform, retriever, gallery.fingerprint, kept)

    @classmethod
    def _within(
        cls,
        gallery: Embeddings,
        settings: IndexSettings,
        made_from: Mapping[str, Any] | None,
        directory: Path | None,
        memory_limit: int,
    ) -> Index:
        from tfretrieval.retrieval.faiss import FaissRetriever
        from tfretrieval.retrieval.on_disk import default_factory, resident_bytes
        from tfretrieval.retrieval.streamed import Streamed

        if settings.retriever != "faiss" or settings.target_recall:
            raise UserError("--memory-limit is too low for this index; --retriever faiss builds one in shards")
        if directory is None:
            raise UserError("an index within a memory limit needs a directory to be built in")
        transform, retriever = settings.unfitted()
        assert isinstance(retriever, FaissRetriever)
        raw = Streamed(gallery.vectors)
        room = (memory_limit - resident_bytes()) // 4
        transform.fit(raw.sample(max(1, room // (12 * raw.dim)), seed=0)[1])
        vectors = Streamed(gallery.vectors, transform, settings.metric)
        memory = int(0.8 * (memory_limit - resident_bytes()))
        if settings.factory is None:
            retriever.set_params(factory=default_factory(len(gallery), vectors.dim, memory))
            log.info("the gallery does not fit into the memory limit: %s, searched from the disk", retriever.factory)
        retriever.fit_within(vectors, memory, directory)
        return cls(settings, transform, retriever, gallery.fingerprint, dict(made_from or {}))

    def how(self) -> dict[str, Any]:
        """What decides what it finds, beside the vectors: metric and PCA, and those settings that were made."""
        settings = asdict(self.settings)
        params = self.retriever.get_params()  # where a recall was aimed at, they hold what was chosen
        names = ("standardize", "whiten", "factory", "search", "index_type", "index_params", "search_params")
        made = {name: params.get(name) or settings.get(name) for name in names}
        told = {name: value for name, value in made.items() if value and value not in ("Flat", "FLAT")}
        return {"pca": settings["pca"], "metric": settings["metric"], **told}

    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest gallery rows of query vectors [q, d]: distances float32 [q, k], rows int64 [q, k].

        Raises:
            UserError: k is larger than the gallery, or the vectors are of another size.
        """
        return self.retriever.kneighbors(self.transform.transform(vectors), k)

    def search_where(
        self,
        vectors: np.ndarray,
        k: int,
        gallery: Embeddings,
        classes: Sequence[str] = (),
        splits: Sequence[str] = (),
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `search`, among the gallery items of some classes and some splits only.

        Raises:
            UserError: the gallery is another one, no item is left or fewer than k are, or the index is approximate
                and of a kind without filters.
        """
        self._check_gallery(gallery)
        asking = self.transform.transform(vectors)
        return self.retriever.kneighbors_where(asking, k, Items.of(gallery), classes, splits)

    def add(self, gallery: Embeddings, new: Embeddings) -> tuple[Index, Embeddings]:
        """Put new items into the index without building it anew; the transform stays as it was fitted.

        The retriever is changed in place: go on with the index and the gallery that are returned.

        Args:
            gallery: what the index was built from.
            new: items with other ids, vectors of the same model.

        Raises:
            UserError: the gallery is another one, an id is in both, the vectors are of another size, or the
                retriever is memory-mapped.
        """
        self._check_gallery(gallery)
        if new.dim != gallery.dim:
            raise UserError(f"the new items have {new.dim} dimensions where {gallery.dim} are needed")
        both = joined(gallery, new)
        items = _items(new, self.transform, self.settings.metric)
        self.retriever.add(self.transform.transform(new.vectors), items)
        return self._changed(both, "added", len(new)), both

    def remove(self, gallery: Embeddings, ids: Sequence[str]) -> tuple[Index, Embeddings]:
        """Take items out of the index by their ids; rows of the others follow the gallery that is returned.

        The retriever is changed in place: go on with the index and the gallery that are returned.

        Args:
            gallery: what the index was built from.
            ids: different ones of it, not all.

        Raises:
            UserError: the gallery is another one, an id is not in it, or the kind of index cannot remove.
        """
        self._check_gallery(gallery)
        row_of = {name: row for row, name in enumerate(gallery.ids)}
        if unknown := [name for name in ids if name not in row_of]:
            raise UserError(f"the gallery has no item {unknown[0]!r}")
        rows = np.array([row_of[name] for name in ids], np.int64)
        self.retriever.remove(rows)
        left = gallery.subset(np.delete(np.arange(len(gallery)), rows))
        return self._changed(left, "removed", len(rows)), left

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write `index.json`, `transform/` and `retriever/`, all or none."""
        with replaced_directory(directory, "index.json") as temporary:
            self.transform.save(temporary / "transform")
            self.retriever.save(temporary / "retriever")
            header = {
                "format": FORMAT,
                "settings": asdict(self.settings),
                "gallery": self.gallery,
                "made_from": dict(self.made_from),
            }
            write_json(temporary / "index.json", header)

    @classmethod
    def load(cls, directory: str | os.PathLike[str], mmap: bool = False) -> Index:
        """Read an index; `mmap` leaves its vectors on disk, as `Retriever.load` says.

        Raises:
            UserError: there is none, or it is damaged.
        """
        directory = Path(directory)
        header = read_json(directory / "index.json", "rebuild it with `tfret index`")
        try:
            if header["format"] != FORMAT:
                raise UserError(
                    f"{directory} is of format {header['format']}, not {FORMAT}; rebuild it with `tfret index`"
                )
            settings = IndexSettings(**header["settings"])
            gallery, made_from = header["gallery"], header["made_from"]
        except (KeyError, TypeError) as error:
            raise UserError(f"{directory / 'index.json'} is damaged ({error}); rebuild it with `tfret index`") from None
        transform = Transform.load(directory / "transform")
        retriever = load_retriever(directory / "retriever", mmap)
        _place(retriever, settings, directory)
        return cls(settings, transform, retriever, gallery, made_from)

    def _check_gallery(self, gallery: Embeddings) -> None:
        if gallery.fingerprint != self.gallery:
            raise UserError(
                "the index was not built from this gallery; give the one it was, or build it anew with `tfret index`"
            )

    def _changed(self, gallery: Embeddings, how: str, count: int) -> Index:
        """What was measured of the index before no longer holds; how many items it gained and lost is kept."""
        measured = ("recall_at_", "build_seconds")
        made_from = {name: value for name, value in self.made_from.items() if not name.startswith(measured)}
        made_from[how] = made_from.get(how, 0) + count
        return replace(self, gallery=gallery.fingerprint, made_from=made_from)


def beyond(memory_limit: int, vectors: np.ndarray) -> bool:
    """Whether indexing the vectors in memory, which holds them and an index over them, takes more than a limit."""
    from tfretrieval.retrieval.on_disk import resident_bytes

    return resident_bytes() + 3 * vectors.nbytes > memory_limit


def _items(gallery: Embeddings, transform: Transform, metric: str) -> Items:
    """What a database keeps beside the vectors, with a fingerprint of what made them."""
    model = gallery.made_from.get("model", "")
    return Items.of(gallery, f"{model}-{transform.fingerprint}-{metric}")


def _place(retriever: Retriever, settings: IndexSettings, directory: Path | None) -> None:
    """Say where Milvus Lite keeps an index that has no address of its own: beside its folder."""
    if retriever.kind != "milvus" or settings.uri is not None:
        return
    if directory is None:
        raise UserError("--retriever milvus needs --uri here: a path that ends in .db or http://host:19530")
    retriever.set_params(uri=f"{directory}.db")
