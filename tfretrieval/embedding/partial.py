"""`PartialStore`: an unfinished embedding store on disk, from which `tfret embed` resumes."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.artifacts import ArtifactType, load_or_none
from tfretrieval.atomic import create_array, os_errors_as_user_errors
from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings

PARTIAL = ArtifactType("unfinished embedding store", "partial.json", 2, "delete the directory")
SECONDS_BETWEEN_FLUSHES = 2.0
ROWS_PER_COPY = 8192


class PartialStore:
    """Memory-mapped vectors of an unfinished embedding store, and a mask of the rows that are done.

    It is kept beside the store as `.partial-<name>/` and deleted when the store is finished. A previous attempt is
    resumed if it has the same provenance, and deleted otherwise.

    Args:
        directory: directory of the store.
        n: number of rows.
        dim: dimension of the vectors.
        provenance: what the vectors are computed from.

    Attributes:
        done: bool [n], which rows are done.

    Raises:
        UserError: the directory cannot be written, or the disk is full.
    """

    def __init__(self, directory: Path, n: int, dim: int, provenance: Mapping[str, Any]) -> None:
        self._target = directory
        self._folder = _folder(directory)
        self._provenance = dict(provenance)
        header = {"n": n, "dim": dim, "provenance": self._provenance}
        with os_errors_as_user_errors(directory):
            if not self._can_resume(header):
                shutil.rmtree(self._folder, ignore_errors=True)
                self._create(header)
            self._vectors = np.load(self._folder / "vectors.npy", mmap_mode="r+")
            self._done_on_disk = np.load(self._folder / "done.npy", mmap_mode="r+")
        self.done = self._done_on_disk.astype(bool)
        self._flushed_at = time.monotonic()

    def __enter__(self) -> PartialStore:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._folder.exists():
            self._flush()

    def put(self, rows: np.ndarray, vectors: np.ndarray) -> None:
        """Write vectors float32 [b, d] to rows int [b]."""
        self._vectors[rows], self.done[rows] = vectors, True
        if time.monotonic() - self._flushed_at > SECONDS_BETWEEN_FLUSHES:
            self._flush()

    def finish(self, catalog: Catalog, details: Mapping[str, Any] | None = None) -> Embeddings:
        """Turn the rows that are done into the store, and return it.

        Args:
            catalog: items of those rows.
            details: further provenance.

        Raises:
            UserError: a vector is not finite, or the directory cannot be written.
        """
        self._flush()
        with os_errors_as_user_errors(self._target):
            file = self._folder / "vectors.npy" if self.done.all() else self._copy_done_rows()
            store = Embeddings(catalog, np.load(file, mmap_mode="r"), {**self._provenance, **(details or {})})
            store.save(self._target, vectors_file=file)  # moves the file; its memory map stays valid
            shutil.rmtree(self._folder)
        return store

    def _can_resume(self, header: dict[str, Any]) -> bool:
        is_complete = all((self._folder / name).is_file() for name in ("vectors.npy", "done.npy"))
        stored = load_or_none(PARTIAL.read_header, self._folder)
        return is_complete and stored is not None and header.items() <= stored.items()

    def _create(self, header: dict[str, Any]) -> None:
        self._folder.mkdir(parents=True)
        try:
            create_array(self._folder / "vectors.npy", (header["n"], header["dim"]), np.float32)
            create_array(self._folder / "done.npy", (header["n"],), np.uint8)
        except OSError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        PARTIAL.write_header(self._folder, header)

    def _flush(self) -> None:
        """Write vectors to disk, then mark their rows as done."""
        self._vectors.flush()
        self._done_on_disk[:] = self.done
        self._done_on_disk.flush()
        self._flushed_at = time.monotonic()

    def _copy_done_rows(self) -> Path:
        rows, file = np.flatnonzero(self.done), self._folder / "compact.npy"
        compact = create_array(file, (len(rows), self._vectors.shape[1]), np.float32)
        for start in range(0, len(rows), ROWS_PER_COPY):
            part = slice(start, start + ROWS_PER_COPY)
            compact[part] = self._vectors[rows[part]]
        compact.flush()
        return file


def _folder(directory: Path) -> Path:
    return directory.with_name(f".partial-{directory.name}")
