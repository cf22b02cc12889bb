"""`Embeddings`: vectors with the items they stand for, in memory and on disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError

ROWS_A_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class Embeddings:
    """n vectors of d values, each with its item.

    Attributes:
        vectors: float32 [n, d], C-order; a memory map where it was loaded so.
        ids: [n] stable names, unique, of dtype object (str).
        labels: int32 [n], an index into `class_names`, or -1 where the class is not known.
        class_names: the c names of the classes.
        paths: [n] where each image lies, of dtype object (str); "" where there is none.
        splits: [n] the split of each item, of dtype object (str).
        made_from: what made the vectors (fingerprints of model and data, engine); free keys.

    Raises:
        UserError: the parts differ in length, an id repeats, a label is out of range, a value is not finite.

    >>> e = Embeddings.from_arrays(np.eye(2), labels=[0, 1], class_names=["cat", "dog"])
    >>> len(e), e.dim, e.ids[0]
    (2, 2, '0')
    """

    vectors: np.ndarray
    ids: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    paths: np.ndarray
    splits: np.ndarray
    made_from: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.vectors)
        if self.vectors.ndim != 2 or self.vectors.dtype != np.float32:
            raise UserError(f"embeddings need float32 vectors [n, d], not {self.vectors.dtype} {self.vectors.shape}")
        for name in ("ids", "labels", "paths", "splits"):
            if len(getattr(self, name)) != n:
                raise UserError(f"embeddings have {n} vectors but {len(getattr(self, name))} {name}")
        if len(set(self.ids)) != n:
            raise UserError("embeddings have an id that stands for two items; ids must be unique")
        if n and (self.labels.min() < -1 or self.labels.max() >= len(self.class_names)):
            raise UserError(f"embeddings have a label outside -1..{len(self.class_names) - 1}")

    @classmethod
    def from_arrays(
        cls,
        vectors: np.ndarray,
        labels: Sequence[int] | np.ndarray | None = None,
        class_names: Sequence[str] | None = None,
        ids: Sequence[str] | np.ndarray | None = None,
        paths: Sequence[str] | np.ndarray | None = None,
        splits: Sequence[str] | np.ndarray | None = None,
        made_from: Mapping[str, Any] | None = None,
    ) -> Embeddings:
        """Put vectors from anywhere ([n, d], any float type) into a store; what is left out is filled in."""
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        n = len(vectors)
        known = np.full(n, -1, np.int32) if labels is None else np.asarray(labels, np.int32)
        if class_names is None:
            class_names = [str(label) for label in range(int(known.max(initial=-1)) + 1)]
        return cls(
            vectors=vectors,
            ids=strings(ids if ids is not None else [str(i) for i in range(n)]),
            labels=known,
            class_names=tuple(class_names),
            paths=strings(paths if paths is not None else [""] * n),
            splits=strings(splits if splits is not None else [""] * n),
            made_from=dict(made_from or {}),
        )

    @classmethod
    def of_catalog(
        cls, vectors: np.ndarray, catalog: Catalog, made_from: Mapping[str, Any] | None = None
    ) -> Embeddings:
        """The vectors float32 [n, d] of a catalog's n items, row by row; a memory map stays one."""
        return cls(
            vectors,
            catalog.ids,
            catalog.labels,
            catalog.class_names,
            catalog.paths,
            catalog.splits,
            dict(made_from or {}),
        )

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        return self.vectors.shape[1]

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of vectors, ids and labels: the same content has the same fingerprint anywhere.

        Of a store that was loaded it is the one that was written down.
        """
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(np.ascontiguousarray(block).data)
        digest.update("\n".join(self.ids).encode())
        digest.update(np.ascontiguousarray(self.labels, np.int32).data)
        digest.update("\n".join(self.class_names).encode())
        return digest.hexdigest()[:16]

    def subset(self, rows: np.ndarray) -> Embeddings:
        """The items at `rows` (an index array or a boolean mask [n])."""
        return Embeddings(
            vectors=np.ascontiguousarray(self.vectors[rows]),
            ids=self.ids[rows],
            labels=self.labels[rows],
            class_names=self.class_names,
            paths=self.paths[rows],
            splits=self.splits[rows],
            made_from=self.made_from,
        )

    def save(self, directory: str | os.PathLike[str], vectors_file: Path | None = None) -> None:
        """Write `vectors.npy`, `items.parquet` and `embeddings.json`, all or none.

        Args:
            directory: the folder of the store.
            vectors_file: a file on the same disk that holds `vectors` already; it is moved instead of copied.

        Raises:
            UserError: a vector holds NaN or infinity, or the folder cannot be written.
        """
        from tfretrieval.embedding import store_files

        store_files.save(self, Path(directory), vectors_file)

    @classmethod
    def load(cls, directory: str | os.PathLike[str], mmap: bool = True) -> Embeddings:
        """Read a store; `mmap` leaves the vectors on disk until they are touched.

        Raises:
            UserError: the folder is not a store, or its files are damaged or do not belong together.
        """
        from tfretrieval.embedding import store_files

        return store_files.load(Path(directory), mmap)

    def blocks(self) -> Iterator[np.ndarray]:
        """The vectors, a few thousand rows at a time."""
        return (self.vectors[start : start + ROWS_A_BLOCK] for start in range(0, len(self), ROWS_A_BLOCK))


def strings(values: Sequence[str] | np.ndarray) -> np.ndarray:
    """Texts as an array of dtype object."""
    array = np.empty(len(values), dtype=object)
    array[:] = [str(value) for value in values]
    return array
