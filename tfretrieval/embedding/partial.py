"""`PartialStore`: an embedding store in the making, on disk, that goes on where it was interrupted."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from tfretrieval.atomic import read_json, readable_os_errors, write_json
from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError

if TYPE_CHECKING:
    from typing_extensions import Self

SECONDS_BETWEEN_MARKS = 2.0
ROWS_A_COPY = 8192


class PartialStore:
    """Vectors on their way to a store, memory-mapped, with a mark for each row that is there.

    It lies beside the store as `.partial-<name>/` and is deleted when the store is complete. What is left of an earlier
    attempt is gone on with where it was made from the same; otherwise it is thrown away.

    Args:
        directory: the folder of the store.
        n: rows.
        dim: values of a vector.
        made_from: what the vectors are made from.

    Raises:
        UserError: the folder cannot be written, or the disk has no room for n x dim float32 values.
    """

    def __init__(self, directory: Path, n: int, dim: int, made_from: Mapping[str, Any]) -> None:
        self._target = directory
        self._folder = _folder(directory)
        self._made_from = dict(made_from)
        header = {"n": n, "dim": dim, "made_from": self._made_from}
        with readable_os_errors(directory):
            if not self._continues(header):
                shutil.rmtree(self._folder, ignore_errors=True)
                self._create(header)
            self._vectors = np.load(self._folder / "vectors.npy", mmap_mode="r+")
            self._marks = np.load(self._folder / "marks.npy", mmap_mode="r+")
        self.whole = self._marks.astype(bool)
        self._marked_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._folder.exists():
            self._mark()

    def missing(self) -> np.ndarray:
        """The rows that are not there yet, int64, in order."""
        return np.flatnonzero(~self.whole)

    def put(self, rows: np.ndarray, vectors: np.ndarray) -> None:
        """Keep the vectors float32 [b, d] of rows int [b]."""
        self._vectors[rows], self.whole[rows] = vectors, True
        if time.monotonic() - self._marked_at > SECONDS_BETWEEN_MARKS:
            self._mark()

    def finish(self, catalog: Catalog) -> Embeddings:
        """Make the store from the rows that are there, whose items are those of `catalog`, and return it.

        Raises:
            UserError: a vector holds NaN or infinity, or the folder cannot be written.
        """
        self._mark()
        with readable_os_errors(self._target):
            file = self._folder / "vectors.npy"
            if not self.whole.all():
                file = self._compacted()
            store = Embeddings(catalog, np.load(file, mmap_mode="r"), self._made_from)
            store.save(self._target, vectors_file=file)  # the map is of the file, wherever that is moved
            shutil.rmtree(self._folder)
        return store

    def _continues(self, header: dict[str, Any]) -> bool:
        there = all((self._folder / name).is_file() for name in ("vectors.npy", "marks.npy"))
        try:
            return there and read_json(self._folder / "partial.json") == header
        except UserError:
            return False

    def _create(self, header: dict[str, Any]) -> None:
        self._folder.mkdir(parents=True)
        try:
            for name, shape, kind in (
                ("vectors.npy", (header["n"], header["dim"]), np.float32),
                ("marks.npy", (header["n"],), np.uint8),
            ):
                new = np.lib.format.open_memmap(self._folder / name, "w+", kind, shape)
                del new
                _reserve(self._folder / name)
        except OSError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        write_json(self._folder / "partial.json", header)

    def _mark(self) -> None:
        """Mark what is there; the vectors are on disk before their marks are."""
        self._vectors.flush()
        self._marks[:] = self.whole
        self._marks.flush()
        self._marked_at = time.monotonic()

    def _compacted(self) -> Path:
        """A file without the rows that are missing."""
        rows, file = np.flatnonzero(self.whole), self._folder / "compacted.npy"
        kept = np.lib.format.open_memmap(file, "w+", np.float32, (len(rows), self._vectors.shape[1]))
        _reserve(file)
        for start in range(0, len(rows), ROWS_A_COPY):
            part = slice(start, start + ROWS_A_COPY)
            kept[part] = self._vectors[rows[part]]
        kept.flush()
        return file


def is_begun(directory: Path) -> bool:
    """Whether an interrupted attempt at the store in a folder is there to go on with."""
    return _folder(directory).is_dir()


def _folder(directory: Path) -> Path:
    return directory.with_name(f".partial-{directory.name}")


def _reserve(file: Path) -> None:
    """Take the file's room on the disk now: writing to a map without room would kill the process."""
    if hasattr(os, "posix_fallocate") and file.stat().st_size:
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
