"""`TransformedVectors`: the vectors of a gallery as an index searches them, computed when they are read."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tfretrieval.retrieval.distances import blocks
from tfretrieval.retrieval.transform import Transform
from tfretrieval.vectors import checked_vectors, unit_rows


@dataclass(frozen=True, eq=False)
class TransformedVectors:
    """n vectors, transformed and prepared for a metric block by block, so that a memory map never has to fit in memory.

    Attributes:
        vectors: float [n, d0], an array or a memory map.
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
        """Dimension after the transform, d."""
        return self.vectors.shape[1] if self.transform is None else self.transform.n_features_out_

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """The vectors of some rows, float32 [m, d]."""
        vectors = checked_vectors(self.vectors[rows], "gallery vectors")
        if self.transform is not None:
            vectors = self.transform.transform(vectors)
        return unit_rows(vectors) if self.metric == "cosine" else vectors

    def in_blocks(self, size: int, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """The vectors of rows start..stop in blocks of `size` rows."""
        stop = len(self) if stop is None else stop
        return (self[start + block.start : start + block.stop] for block in blocks(stop - start, size))

    def sample(self, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Random distinct rows, int64 [m] in order, and their vectors, float32 [m, d]; all rows if n <= count."""
        rows = np.arange(len(self))
        if count < len(self):
            rows = np.sort(np.random.default_rng(seed).choice(len(self), count, replace=False, shuffle=False))
        return rows, self[rows]
