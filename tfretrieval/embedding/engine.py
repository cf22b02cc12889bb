"""`Engine`: the base class of everything that computes embeddings from images."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.read_image import broken_reason, report_broken_images
from tfretrieval.embedding.partial import PartialStore
from tfretrieval.embedding.store import Embeddings
from tfretrieval.progress import progress

PRECISIONS = ("float32", "bfloat16", "int8")
Batch = tuple[np.ndarray, np.ndarray]


class Engine(ABC):
    """Computes embeddings from images.

    Attributes:
        name: name of the engine.
        precision: one of `PRECISIONS`.
        image_size: side in pixels of the images that the network takes.
        dim: dimension of the embeddings.
        resize_mode: "crop", "pad" or "stretch", see `read_image`.
    """

    name: str
    precision: str
    image_size: int
    dim: int
    resize_mode: str

    @abstractmethod
    def batches(self, paths: Sequence[str]) -> Iterator[Batch]:
        """Yield (indices int64 [b], vectors float32 [b, d]) of the decodable files, in any order."""

    @abstractmethod
    def embed_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Vectors float32 [b, d] of decoded images uint8 [b, image_size, image_size, 3]; thread-safe."""

    def embed(
        self,
        catalog: Catalog,
        on_error: str = "fail",
        provenance: Mapping[str, Any] | None = None,
        directory: Path | None = None,
    ) -> Embeddings:
        """Compute the embeddings of a catalog's images, in its order; each file is decoded once.

        Args:
            catalog: n items with files.
            on_error: mode for unreadable images: "fail" or "skip".
            provenance: further entries to record. The engine and its precision are always recorded, in a store also
                `embedding_seconds`, unless an interrupted call was resumed.
            directory: directory of the store. Vectors are written there as they are computed, so that memory does not
                grow with n and an interrupted call can be resumed. None keeps them in memory.

        Returns:
            `Embeddings` of the decodable images.

        Raises:
            UserError: an image is unreadable and `on_error` is "fail", all are, or the directory cannot be written.
        """
        provenance = {"engine": self.name, "precision": self.precision, **(provenance or {})}
        started = perf_counter()
        if directory is not None:
            with PartialStore(directory, len(catalog), self.dim, provenance) as partial:
                is_resumed = partial.done.any()
                self._compute(catalog, partial.done, partial.put, on_error)
                timing = {} if is_resumed else {"embedding_seconds": round(perf_counter() - started, 3)}
                return partial.finish(catalog.subset(partial.done), timing)
        vectors = np.zeros((len(catalog), self.dim), np.float32)
        done = np.zeros(len(catalog), bool)

        def put(rows: np.ndarray, batch: np.ndarray) -> None:
            vectors[rows], done[rows] = batch, True

        self._compute(catalog, done, put, on_error)
        return Embeddings(catalog.subset(done), vectors if done.all() else vectors[done], provenance)

    def broken_reason(self, path: str) -> str:
        """Why a file cannot be decoded."""
        return broken_reason(path, self.image_size, self.resize_mode)

    def _compute(
        self, catalog: Catalog, done: np.ndarray, put: Callable[[np.ndarray, np.ndarray], None], on_error: str
    ) -> None:
        """Embed the rows where `done`, bool [n], is false. `put` stores vectors and marks their rows as done."""
        rows = np.flatnonzero(~done)
        with progress(None, "embed", total=len(catalog)) as bar:
            bar.update(len(catalog) - len(rows))
            for indices, vectors in self.batches(list(catalog.paths[rows])):
                put(rows[indices], vectors)
                bar.update(len(indices))
        broken = {str(path): self.broken_reason(str(path)) for path in catalog.paths[~done]}
        if broken:
            report_broken_images(broken, on_error, all_broken=not done.any())
