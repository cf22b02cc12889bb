"""Embeddings as Parquet shards, which many machines write and which are loaded as one store.

A directory of shards, local or on a file system of fsspec, holds `shards.json` (provenance) and
`part-<first row>.parquet` with the columns id, path, label, split and vector. A part is named by its rows, so that
writing it again replaces it. The number of items is added to `shards.json` last, when all parts are written.
"""

from __future__ import annotations

import contextlib
import json
import posixpath
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfretrieval.data.cache import cache_folder
from tfretrieval.data.catalog import label_indices
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError

HEADER = "shards.json"
FORMAT = 1
BROKEN_KEY = b"broken"  # in the metadata of a part


class Shards:
    """A directory of shards.

    Args:
        where: path, or fsspec URL such as s3://bucket/vectors.

    Raises:
        UserError: the URL is not supported, or fsspec or a package for the URL is not installed.
    """

    def __init__(self, where: str) -> None:
        try:
            import fsspec

            self._files, self._root = fsspec.core.url_to_fs(where)
        except ImportError as error:
            raise UserError(f"{where} needs {error.name or 'fsspec'}: pip install 'tfretrieval[ray]'") from None
        except ValueError as error:
            raise UserError(f"{where}: {error}") from None
        self.where = where

    def begin(self, dim: int, class_names: tuple[str, ...], provenance: Mapping[str, Any]) -> set[str]:
        """Create the directory, or check that it holds shards of the same provenance.

        Args:
            dim: dimension of the vectors.
            class_names: names of the classes.
            provenance: what the vectors are computed from.

        Returns:
            Names of the existing files.

        Raises:
            UserError: the directory holds other vectors, or cannot be written.
        """
        header = {"format": FORMAT, "dim": dim, "class_names": list(class_names), "provenance": dict(provenance)}
        existing = self.header()
        if existing is not None and {name: existing.get(name) for name in header} != header:
            raise UserError(f"{self.where} holds vectors of another model or other images; use another --shards")
        with self._one_line_errors():
            self._files.makedirs(self._root, exist_ok=True)
            if existing is None:
                self._write(HEADER, json.dumps(header).encode())
            return {posixpath.basename(path) for path in self._files.ls(self._root, detail=False)}

    def write_part(self, name: str, columns: Mapping[str, Any], broken: Mapping[str, str]) -> None:
        """Write a part, completely or not at all.

        Args:
            name: see `part_name`.
            columns: "id", "path", "label" (class name, None if unknown), "split" and "vector" (float32 [b, d]).
            broken: {path: reason} of the unreadable images of these rows.
        """
        vectors = np.ascontiguousarray(columns["vector"], np.float32)
        arrays = {key: pa.array(list(columns[key]), pa.string()) for key in ("id", "path", "label", "split")}
        flat = pa.array(vectors.reshape(-1), pa.float32())
        arrays["vector"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        sink = pa.BufferOutputStream()
        table = pa.table(arrays).replace_schema_metadata({BROKEN_KEY: json.dumps(dict(broken))})
        pq.write_table(table, sink, compression="none")
        self._write(name, sink.getvalue().to_pybytes())

    def count(self, parts: list[str]) -> tuple[int, dict[str, str]]:
        """Number of items in some parts, and {path: reason} of the unreadable images.

        Raises:
            UserError: a part is missing or damaged.
        """
        n, broken = 0, {}
        with self._one_line_errors():
            for name in parts:
                try:
                    with self._files.open(f"{self._root}/{name}", "rb") as file:
                        metadata = pq.ParquetFile(file).metadata
                        n += metadata.num_rows
                        broken.update(json.loads((metadata.metadata or {}).get(BROKEN_KEY, b"{}")))
                except (FileNotFoundError, pa.ArrowException):
                    raise UserError(f"{self.where} is damaged: delete {name} and embed again") from None
        return n, broken

    def finish(self, parts: list[str], n: int) -> None:
        """Mark the shards as finished, with these parts and n items."""
        header = self.header() or {}
        with self._one_line_errors():
            self._write(HEADER, json.dumps({**header, "parts": parts, "n": n}).encode())

    def header(self) -> dict[str, Any] | None:
        """Content of `shards.json`; None if it is missing.

        Raises:
            UserError: it is damaged or cannot be read.
        """
        with self._one_line_errors():
            try:
                return dict(json.loads(self._files.cat_file(f"{self._root}/{HEADER}")))
            except FileNotFoundError:
                return None
            except ValueError:
                raise UserError(f"{self.where} is damaged: {HEADER} cannot be read") from None

    def to_store(self, directory: Path) -> Embeddings:
        """Concatenate all parts into an embedding store; memory holds the ids and one part.

        Args:
            directory: directory of the store. An up-to-date store there is returned as it is.

        Raises:
            UserError: the shards are unfinished or damaged, or the directory cannot be written.
        """
        header = self._finished_header()
        if (directory / "embeddings.json").is_file():
            stored = Embeddings.load(directory)
            if stored.provenance == header["provenance"] and len(stored) == header["n"]:
                return stored
        directory.parent.mkdir(parents=True, exist_ok=True)
        file = directory.parent / f".tmp-{uuid.uuid4().hex}.npy"
        try:
            vectors, columns = self._read_parts(header, file)
            Embeddings.from_arrays(
                vectors,
                label_indices(columns["label"], header["class_names"]),
                header["class_names"],
                columns["id"],
                columns["path"],
                columns["split"],
                header["provenance"],
            ).save(directory, file)
        except (KeyError, ValueError, FileNotFoundError, pa.ArrowException) as error:
            raise UserError(f"{self.where} is damaged: {str(error).splitlines()[0][:160]}") from None
        finally:
            file.unlink(missing_ok=True)
        return Embeddings.load(directory)

    def _finished_header(self) -> dict[str, Any]:
        header = self.header()
        if header is None:
            raise UserError(f"{self.where} is neither an embedding store nor shards of one")
        if "parts" not in header:
            raise UserError(f"{self.where} is not finished; repeat the `tfret embed --shards` that wrote it")
        with self._one_line_errors():
            existing = {posixpath.basename(path) for path in self._files.ls(self._root, detail=False)}
        if missing := sorted(set(header["parts"]) - existing):
            raise UserError(
                f"{self.where} is damaged: {missing[0]} is missing; repeat the `tfret embed --shards` that wrote it"
            )
        return header

    def _read_parts(self, header: Mapping[str, Any], file: Path) -> tuple[np.ndarray, dict[str, list[Any]]]:
        """Copy the vectors of all parts to a .npy file; the memory-mapped vectors and the other columns."""
        columns: dict[str, list[Any]] = {"id": [], "path": [], "label": [], "split": []}
        vectors = np.lib.format.open_memmap(file, "w+", np.float32, (header["n"], header["dim"]))
        start = 0
        for name in header["parts"]:
            with self._one_line_errors():
                content = self._files.cat_file(f"{self._root}/{name}")
            table = pq.read_table(pa.BufferReader(content))
            flat = table["vector"].combine_chunks().flatten()
            vectors[start : start + len(table)] = np.asarray(flat).reshape(-1, header["dim"])
            start += len(table)
            for key, values in columns.items():
                values.extend(table[key].to_pylist())
        vectors.flush()
        if start != header["n"]:
            raise ValueError(f"{start} items instead of {header['n']}")
        return vectors, columns

    def _write(self, name: str, content: bytes) -> None:
        path = f"{self._root}/{name}"
        if "file" not in (self._files.protocol if isinstance(self._files.protocol, tuple) else (self._files.protocol,)):
            self._files.pipe_file(path, content)  # object stores write files atomically
            return
        temporary = f"{self._root}/.tmp-{uuid.uuid4().hex}"
        self._files.pipe_file(temporary, content)
        Path(temporary).replace(path)

    @contextlib.contextmanager
    def _one_line_errors(self) -> Iterator[None]:
        """Turn the errors of a file system inside the block, of any class, into one line; missing files excepted."""
        try:
            yield
        except (UserError, FileNotFoundError):
            raise
        except Exception as error:
            reason = " ".join(f"{type(error).__name__} {error}".split())[:160]
            raise UserError(f"cannot use {self.where}: {reason}") from None


def part_name(first_row: int) -> str:
    """File name of the part that starts at a row of the catalog."""
    return f"part-{first_row:012d}.parquet"


def load_store(where: str) -> Embeddings:
    """Load an embedding store, or the shards of one.

    Shards are first concatenated into a store in their subdirectory `joined`, or in the cache folder if remote.

    Args:
        where: path, or fsspec URL.

    Raises:
        UserError: it is neither, or damaged.
    """
    if "://" not in where:
        if not (Path(where) / HEADER).is_file():
            return Embeddings.load(where)
        return Shards(where).to_store(Path(where) / "joined")
    return Shards(where).to_store(cache_folder() / "shards" / re.sub(r"[^\w.-]+", "_", where))
