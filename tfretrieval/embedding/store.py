"""`Embeddings`: vectors with the items they belong to, in memory and on disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.artifacts import ArtifactType
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.items_file import ITEMS, read_items, write_items
from tfretrieval.errors import UserError

STORE = ArtifactType("embedding store", "embeddings.json", 2, "rebuild it with `tfret embed`")
VECTORS = "vectors.npy"
ROWS_PER_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class Embeddings:
    """n vectors of dimension d and the items they belong to, row by row.

    Attributes:
        items: a catalog of the n items.
        vectors: float32 [n, d], C-order; a memory map if loaded so.
        provenance: fingerprints of model and data, engine, precision; further keys are allowed.

    Raises:
        UserError: items and vectors differ in length, or the vectors are not float32 [n, d].

    >>> e = Embeddings.from_arrays(np.eye(2), labels=[0, 1], class_names=["cat", "dog"])
    >>> len(e), e.dim, e.items.ids[0]
    (2, 2, '0')
    """

    items: Catalog
    vectors: np.ndarray
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or self.vectors.dtype != np.float32:
            raise UserError(f"embeddings need float32 vectors [n, d], not {self.vectors.dtype} {self.vectors.shape}")
        if len(self.items) != len(self.vectors):
            raise UserError(f"embeddings have {len(self.vectors)} vectors but {len(self.items)} items")

    @classmethod
    def from_arrays(
        cls,
        vectors: np.ndarray,
        labels: Sequence[int] | np.ndarray | None = None,
        class_names: Sequence[str] | None = None,
        ids: Sequence[str] | np.ndarray | None = None,
        paths: Sequence[str] | np.ndarray | None = None,
        splits: Sequence[str] | np.ndarray | None = None,
        provenance: Mapping[str, Any] | None = None,
    ) -> Embeddings:
        """Create embeddings from vectors of any origin.

        Args:
            vectors: [n, d], any float type.
            labels: class of each item; -1 or None for unknown classes.
            class_names: by default, the labels as strings.
            ids: unique names; by default, the row numbers.
            paths: location of each image; "" by default.
            splits: split of each item; "" by default.
            provenance: what the vectors were made from.

        Raises:
            UserError: the arrays differ in length, an id repeats, or a label is out of range.
        """
        vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        n = len(vectors)
        if class_names is None:
            highest = -1 if labels is None else int(np.max(labels, initial=-1))
            class_names = [str(label) for label in range(highest + 1)]
        items = Catalog.from_lists(
            paths=[""] * n if paths is None else list(paths),
            labels=labels,
            class_names=class_names,
            splits=[""] * n if splits is None else list(splits),
            ids=[str(row) for row in range(n)] if ids is None else list(ids),
        )
        return cls(items, vectors, dict(provenance or {}))

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        """Dimension of the vectors, d."""
        return self.vectors.shape[1]

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of vectors, ids, labels and class names. A loaded store has the hash recorded on disk."""
        digest = hashlib.sha256()
        for block in self.blocks():
            digest.update(np.ascontiguousarray(block).data)
        digest.update("\n".join(self.items.ids).encode())
        digest.update(np.ascontiguousarray(self.items.labels, np.int32).data)
        digest.update("\n".join(self.items.class_names).encode())
        return digest.hexdigest()[:16]

    def subset(self, rows: np.ndarray) -> Embeddings:
        """The items at `rows`, an index array or a boolean mask [n]."""
        return Embeddings(self.items.subset(rows), np.ascontiguousarray(self.vectors[rows]), self.provenance)

    def concat(self, other: Embeddings) -> Embeddings:
        """These embeddings followed by others, as `Catalog.concat`.

        Raises:
            UserError: an id is in both, or the dimensions differ.
        """
        if self.dim != other.dim:
            raise UserError(f"embeddings of {other.dim} dimensions cannot be added to embeddings of {self.dim}")
        return Embeddings(
            self.items.concat(other.items), np.concatenate([self.vectors, other.vectors]), self.provenance
        )

    def blocks(self) -> Iterator[np.ndarray]:
        """The vectors in blocks of a few thousand rows."""
        return (self.vectors[start : start + ROWS_PER_BLOCK] for start in range(0, len(self), ROWS_PER_BLOCK))

    def save(self, directory: str | os.PathLike[str], vectors_file: Path | None = None) -> None:
        """Write `vectors.npy`, `items.parquet` and `embeddings.json`, all or none.

        Args:
            directory: directory of the store.
            vectors_file: a .npy file on the same disk that already holds `vectors`; it is moved, not copied.

        Raises:
            UserError: a vector holds NaN or infinity, or the directory cannot be written.
        """
        self._check_finite()
        with STORE.replaced(directory) as temporary:
            write_items(temporary / ITEMS, self.items)
            if vectors_file is None:
                np.save(temporary / VECTORS, self.vectors, allow_pickle=False)
            else:
                os.replace(vectors_file, temporary / VECTORS)
            header = {
                "n": len(self),
                "dim": self.dim,
                "fingerprint": self.fingerprint,
                "class_names": list(self.items.class_names),
                "provenance": dict(self.provenance),
            }
            STORE.write_header(temporary, header)

    @classmethod
    def load(cls, directory: str | os.PathLike[str], mmap: bool = True) -> Embeddings:
        """Read a store.

        Args:
            directory: directory of the store.
            mmap: map the vectors into memory instead of reading them.

        Raises:
            MissingArtifact: there is no store.
            CorruptArtifact: the store is damaged.
        """
        directory = Path(directory)
        header = STORE.read_header(directory)
        with STORE.reading(directory):
            items = read_items(directory / ITEMS, header["class_names"], STORE)
            vectors = _load_array(directory / VECTORS, mmap)
            if list(vectors.shape) != [header["n"], header["dim"]] or len(items) != header["n"]:
                raise ValueError("the files disagree on the number of items")
            embeddings = cls(items, vectors, dict(header["provenance"]))
            embeddings.__dict__["fingerprint"] = header["fingerprint"]
            return embeddings

    def _check_finite(self) -> None:
        finite = [np.isfinite(block).all(axis=1) for block in self.blocks()]
        bad = np.flatnonzero(~np.concatenate([*finite, np.ones(0, bool)]))
        if len(bad):
            raise UserError(f"{len(bad)} vectors hold NaN or infinity, the first that of {self.items.ids[bad[0]]}")


def remove_incomplete(directory: Path) -> None:
    """Delete the files of a store without a header, which would not be recognized as a store."""
    if directory.is_dir() and not STORE.exists(directory):
        for name in (VECTORS, ITEMS):
            (directory / name).unlink(missing_ok=True)


def _load_array(file: Path, mmap: bool) -> np.ndarray:
    try:
        return np.load(file, mmap_mode="r" if mmap else None, allow_pickle=False)
    except ValueError:
        raise ValueError(f"{file.name} is not a complete array") from None  # NumPy's message recommends pickle
