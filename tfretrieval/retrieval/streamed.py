"""Vectors that are read in blocks as they are needed and never stay in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tfretrieval.retrieval.blocks import blocks
from tfretrieval.retrieval.order import in_order
from tfretrieval.retrieval.transform import Transform
from tfretrieval.vectors import checked_vectors, unit_rows

ROWS_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class Streamed:
    """The n vectors of a gallery, transformed and prepared for a metric as they are read.

    Attributes:
        vectors: float32 [n, d0]; a memory map is read by its file, whose pages are not kept.
        transform: fitted; None for none.
        metric: "euclidean" or "cosine".
    """

    vectors: np.ndarray
    transform: Transform | None = None
    metric: str = "euclidean"

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        """Values of a vector as it is read."""
        return self.vectors.shape[1] if self.transform is None else self.transform.n_features_out_

    def part(self, start: int, stop: int) -> np.ndarray:
        """The vectors of some rows, float32 [stop - start, d].

        Raises:
            UserError: a value is not finite.
        """
        return self._prepared(raw_rows(self.vectors, start, stop))

    def parts(self, rows: int) -> Iterator[tuple[slice, np.ndarray]]:
        """All vectors, so many at a time."""
        for block in blocks(len(self), rows):
            yield block, self.part(block.start, block.stop)

    def sample(self, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Random rows, int64 [m] in order, and their vectors float32 [m, d]."""
        rows = drawn(len(self), count, seed)
        return rows, self.at(rows)

    def at(self, rows: np.ndarray) -> np.ndarray:
        """The vectors of some rows, int [m]: float32 [m, d]."""
        vectors = np.empty((len(rows), self.dim), np.float32)
        raw = np.empty((min(len(rows), ROWS_AT_ONCE), self.vectors.shape[1]), self.vectors.dtype)
        for block in blocks(len(rows), ROWS_AT_ONCE):
            here = raw[: block.stop - block.start]
            for place, row in enumerate(rows[block].tolist()):
                here[place] = raw_rows(self.vectors, row, row + 1)
            vectors[block] = self._prepared(here)
        return vectors

    def neighbors(self, queries: np.ndarray, k: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """The exact k nearest of each query, reading `rows` vectors at a time: squared L2 or 1 - inner product."""
        import faiss

        near = np.full((len(queries), k), np.inf, np.float32)
        found = np.full((len(queries), k), -1, np.int64)
        inner = self.metric == "cosine"
        kind = faiss.METRIC_INNER_PRODUCT if inner else faiss.METRIC_L2
        for block, part in self.parts(rows):
            scores, its = faiss.knn(queries, part, min(k, len(part)), metric=kind)
            distances = 1 - scores if inner else scores
            both = in_order(np.hstack([near, distances]), np.hstack([found, its + block.start]))
            near, found = both[0][:, :k], both[1][:, :k]
        return near, found

    def _prepared(self, raw: np.ndarray) -> np.ndarray:
        vectors = checked_vectors(raw, "gallery vectors")
        if self.transform is not None:
            vectors = self.transform.transform(vectors)
        return unit_rows(vectors) if self.metric == "cosine" else vectors


def raw_rows(vectors: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Some rows of an array; of a memory map as a copy that is read from its file."""
    if not isinstance(vectors, np.memmap) or vectors.filename is None or not vectors.flags.c_contiguous:
        return np.ascontiguousarray(vectors[start:stop])
    d = vectors.shape[1]
    offset = vectors.offset + start * d * vectors.itemsize
    return np.fromfile(vectors.filename, vectors.dtype, (stop - start) * d, offset=offset).reshape(-1, d)


def drawn(n: int, count: int, seed: int) -> np.ndarray:
    """Random different numbers below n, int64 in order; all of them where `count` is as many."""
    if count >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, count, replace=False, shuffle=False))
