"""`Engine`: the contract of what turns images into vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tfretrieval.data.broken import report_broken
from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.partial import PartialStore
from tfretrieval.embedding.store import Embeddings
from tfretrieval.progress import progress

PRECISIONS = ("float32", "bfloat16", "int8")
Batch = tuple[np.ndarray, np.ndarray]


class Engine(ABC):
    """Turns images into vectors.

    Attributes:
        name: of the engine.
        precision: of `PRECISIONS`, what it computes in.
        image_size: the side in pixels of what the network takes.
        dim: values of a vector.
        fit: how an image becomes a square, see `decode_and_resize`.
    """

    name: ClassVar[str]
    precision: str
    image_size: int
    dim: int
    fit: str

    @abstractmethod
    def batches(self, paths: Sequence[str]) -> Iterator[Batch]:
        """(places int64 [b], vectors float32 [b, d]) of the files that can be decoded, in any order."""

    @abstractmethod
    def why_broken(self, path: str) -> str:
        """Why a file cannot be decoded."""

    @abstractmethod
    def embed_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """The vectors float32 [b, d] of decoded images uint8 [b, image_size, image_size, 3]; from any thread."""

    def embed(
        self,
        catalog: Catalog,
        on_error: str = "fail",
        made_from: Mapping[str, Any] | None = None,
        directory: Path | None = None,
    ) -> Embeddings:
        """The embeddings of a catalog's images, in its order; each file is decoded once.

        Args:
            catalog: n items with files.
            on_error: what a file that cannot be decoded does, "fail" or "skip".
            made_from: what the result keeps beside the engine's own name and precision.
            directory: where the store is written. Vectors go there as they are made, so that memory does not grow
                with n, and an embedding that was killed goes on where it stopped. None: they stay in memory.

        Raises:
            UserError: a file cannot be decoded and `on_error` is "fail", none can, or the folder cannot be written.
        """
        made_from = {"engine": self.name, "precision": self.precision, **(made_from or {})}
        if directory is not None:
            with PartialStore(directory, len(catalog), self.dim, made_from) as partial:
                self._fill(catalog, partial.missing(), partial.put)
                whole = partial.whole
                self._report(catalog, whole, on_error)
                return partial.finish(catalog.subset(whole))
        vectors = np.zeros((len(catalog), self.dim), np.float32)
        whole = np.zeros(len(catalog), bool)

        def put(rows: np.ndarray, batch: np.ndarray) -> None:
            vectors[rows], whole[rows] = batch, True

        self._fill(catalog, np.arange(len(catalog)), put)
        self._report(catalog, whole, on_error)
        kept = catalog.subset(whole)
        return Embeddings(kept, vectors if whole.all() else vectors[whole], made_from)

    def vectors(self, paths: Sequence[str]) -> np.ndarray:
        """The vectors of the files that can be decoded, in the order of `paths`: float32 [at most n, d]."""
        found = list(self.batches(paths))
        places = np.concatenate([places for places, _ in found] or [np.empty(0, np.int64)])
        vectors = np.concatenate([vectors for _, vectors in found] or [np.empty((0, self.dim), np.float32)])
        return vectors[np.argsort(places)]

    def _fill(self, catalog: Catalog, rows: np.ndarray, put: Any) -> None:
        with progress(None, "embed", total=len(catalog)) as bar:
            bar.update(len(catalog) - len(rows))
            for places, vectors in self.batches(list(catalog.paths[rows])):
                put(rows[places], vectors)
                bar.update(len(places))

    def _report(self, catalog: Catalog, whole: np.ndarray, on_error: str) -> None:
        broken = {str(path): self.why_broken(str(path)) for path in catalog.paths[~whole]}
        if broken:
            report_broken(broken, on_error, everything=not whole.any())
