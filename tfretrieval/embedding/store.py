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

from tfretrieval.atomic import read_json, replaced_directory, write_json
from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError

FORMAT = 1
ROWS_A_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class Embeddings:
    """n vectors of d values, each with its item.

    Attributes:
        vectors: float32 [n, d], C-order; a memory map where it was loaded so.
        ids: [n] stable names, unique, of dtype object (str).
        labels: int32 [n], an index into `class_names`, or -1 where the class is not known.
        class_names: the c names of the classes.
        paths: [n] where each picture lies, of dtype object (str); "" where there is none.
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
            ids=_strings(ids if ids is not None else [str(i) for i in range(n)]),
            labels=known,
            class_names=tuple(class_names),
            paths=_strings(paths if paths is not None else [""] * n),
            splits=_strings(splits if splits is not None else [""] * n),
            made_from=dict(made_from or {}),
        )

    @classmethod
    def of_catalog(
        cls, vectors: np.ndarray, catalog: Catalog, made_from: Mapping[str, Any] | None = None
    ) -> Embeddings:
        """The vectors float32 [n, d] of a catalogue's n items, row by row; a memory map stays one."""
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
        for block in self._blocks():
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
        import pyarrow as pa
        import pyarrow.parquet as pq

        finite = np.concatenate([np.isfinite(block).all(axis=1) for block in self._blocks()] or [np.ones(0, bool)])
        if not finite.all():
            bad = self.ids[~finite]
            raise UserError(f"{len(bad)} vectors hold NaN or infinity, the first that of {bad[0]}")
        names = np.array([*self.class_names, None], dtype=object)
        table = pa.table(
            {
                "id": pa.array(self.ids, pa.string()),
                "path": pa.array(self.paths, pa.string()),
                "label": pa.array(names[self.labels], pa.string()),
                "split": pa.array(self.splits, pa.string()),
            }
        )
        with replaced_directory(directory, "embeddings.json") as temporary:
            pq.write_table(table, temporary / "items.parquet")
            write_json(
                temporary / "embeddings.json",
                {
                    "format": FORMAT,
                    "n": len(self),
                    "dim": self.dim,
                    "fingerprint": self.fingerprint,
                    "class_names": list(self.class_names),
                    "made_from": dict(self.made_from),
                },
            )
            if vectors_file is None:
                np.save(temporary / "vectors.npy", self.vectors, allow_pickle=False)
            else:
                os.replace(vectors_file, temporary / "vectors.npy")

    @classmethod
    def load(cls, directory: str | os.PathLike[str], mmap: bool = True) -> Embeddings:
        """Read a store; `mmap` leaves the vectors on disk until they are touched.

        Raises:
            UserError: the folder is not a store, or its files are damaged or do not belong together.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        directory = Path(directory)
        if not (directory / "embeddings.json").is_file():
            raise UserError(f"{directory} is not an embedding store: it has no embeddings.json")
        header = read_json(directory / "embeddings.json", "make it anew with `tfret embed`")
        try:
            class_names = tuple(header["class_names"])
            number_of = {name: label for label, name in enumerate(class_names)}
            vectors = np.load(directory / "vectors.npy", mmap_mode="r" if mmap else None, allow_pickle=False)
            items = pq.ParquetFile(directory / "items.parquet")
            if list(vectors.shape) != [header["n"], header["dim"]] or items.metadata.num_rows != header["n"]:
                raise ValueError("the files disagree on the number of items")
            labels = items.read(columns=["label"])["label"].combine_chunks()
            places, names = _codes(labels)
            numbers = np.array([*(number_of[name] for name in names), -1], np.int32)
            return _Stored.opened(
                directory,
                vectors=vectors,
                labels=numbers[places],
                class_names=class_names,
                made_from=dict(header["made_from"]),
                fingerprint=header["fingerprint"],
            )
        except (OSError, ValueError, KeyError, TypeError, EOFError, pa.ArrowException) as error:
            raise _damaged(directory, error) from None

    def _blocks(self) -> Iterator[np.ndarray]:
        return (self.vectors[start : start + ROWS_A_BLOCK] for start in range(0, len(self), ROWS_A_BLOCK))


class _Stored(Embeddings):
    """Embeddings of a store, whose ids, paths and splits are read when they are first asked for."""

    @classmethod
    def opened(cls, directory: Path, **known: Any) -> Embeddings:
        """Embeddings of which what is known is given, and the rest read from the folder."""
        store = object.__new__(cls)
        store.__dict__.update(known, _directory=directory)
        return store

    @cached_property
    def ids(self) -> np.ndarray:
        return self._column("id")

    @cached_property
    def paths(self) -> np.ndarray:
        return self._column("path")

    @cached_property
    def splits(self) -> np.ndarray:
        return self._column("split")

    def _column(self, name: str) -> np.ndarray:
        import pyarrow as pa
        import pyarrow.parquet as pq

        directory: Path = self.__dict__["_directory"]
        try:
            column = pq.ParquetFile(directory / "items.parquet").read(columns=[name])[name].combine_chunks()
        except (OSError, pa.ArrowException) as error:
            raise _damaged(directory, error) from None
        if name == "split":  # few different ones
            places, names = _codes(column)
            return _strings(names)[places]
        return _strings(column.to_pylist())


def _codes(column: Any) -> tuple[np.ndarray, list[str]]:
    """An Arrow array of strings as places among its different values, -1 where there is none, and those values.

    By its buffers, because pyarrow's own ways to NumPy import pandas where it is installed, for which a query would
    wait.
    """
    coded = column.dictionary_encode()
    known, places = coded.indices.buffers()
    start, stop = coded.indices.offset, coded.indices.offset + len(coded)
    found = np.frombuffer(places, np.int32)[start:stop].astype(np.int64)
    if known is not None:
        found[np.unpackbits(np.frombuffer(known, np.uint8), bitorder="little")[start:stop] == 0] = -1
    return found, coded.dictionary.to_pylist()


def _damaged(directory: Path, error: Exception) -> UserError:
    return UserError(f"{directory} is damaged ({error}); make it anew with `tfret embed`")


def _strings(values: Sequence[str] | np.ndarray) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = [str(value) for value in values]
    return array
