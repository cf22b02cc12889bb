"""`Items`: what a database keeps beside the vectors of a gallery."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tfretrieval.embedding.store import Embeddings


@dataclass(frozen=True, eq=False)
class Items:
    """n items, row by row.

    Attributes:
        ids: [n] unique names, of dtype object (str).
        classes: [n] the name of each class, of dtype object (str); "" where it is not known.
        paths: [n] where each image lies, of dtype object (str).
        splits: [n] of dtype object (str).
        made_by: fingerprint of what made the vectors: model, transform and metric.
    """

    ids: np.ndarray
    classes: np.ndarray
    paths: np.ndarray
    splits: np.ndarray
    made_by: str = ""

    @classmethod
    def of(cls, embeddings: Embeddings, made_by: str = "") -> Items:
        """The items of embeddings."""
        names = np.array([*embeddings.class_names, ""], dtype=object)
        return cls(embeddings.ids, names[embeddings.labels], embeddings.paths, embeddings.splits, made_by)

    @classmethod
    def numbered(cls, n: int, first: int = 0) -> Items:
        """Items of which nothing is known; their ids are their rows."""
        ids = np.array([str(row) for row in range(first, first + n)], dtype=object)
        nothing = np.full(n, "", dtype=object)
        return cls(ids, nothing, nothing, nothing)

    def __len__(self) -> int:
        return len(self.ids)

    def taken(self, rows: np.ndarray) -> Items:
        """Some of the items."""
        return Items(self.ids[rows], self.classes[rows], self.paths[rows], self.splits[rows], self.made_by)

    def rows_where(self, classes: Collection[str], splits: Collection[str]) -> np.ndarray:
        """The rows, int64 [m], of some classes and some splits; of all where none is named."""
        among = np.ones(len(self), bool)
        for values, wanted in ((self.classes, classes), (self.splits, splits)):
            if wanted:
                among &= np.isin(values.astype(str), list(wanted))
        return np.flatnonzero(among)

    def digests(self, vectors: np.ndarray) -> list[int]:
        """A signed number of 64 bits for each item and its vector, float32 [n, d]; another where either changes."""
        numbers = []
        for row, vector in enumerate(np.ascontiguousarray(vectors)):
            digest = hashlib.blake2b(vector.tobytes(), digest_size=8)
            for text in (self.classes[row], self.paths[row], self.splits[row]):
                digest.update(b"\0" + str(text).encode("utf-8", "surrogateescape"))
            numbers.append(int.from_bytes(digest.digest(), "little", signed=True))
        return numbers
