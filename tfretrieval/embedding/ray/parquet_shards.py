"""Embeddings as Parquet shards, which many machines write and which are loaded as one store.

A directory of shards, local or on a file system of fsspec, holds `shards.json` (provenance) and
`shard-<first row>.parquet` with the columns id, path, label, split and vector. A shard is named by its first row, so
that writing it again replaces it. The number of items is added to `shards.json` last, when all shards are written.
"""

import contextlib
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfretrieval.artifacts import load_or_none
from tfretrieval.atomic import replaced_file
from tfretrieval.data.cache import cache_folder
from tfretrieval.data.catalog import Catalog, label_indices
from tfretrieval.embedding.partial import PartialStore
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError, one_line

HEADER = "shards.json"
FORMAT = 2
BROKEN_KEY = b"broken"  # in the metadata of a shard


class Shards:
    """A directory of shards.

    Args:
        location: path, or fsspec URL such as s3://bucket/vectors.

    Raises:
        UserError: the URL is not supported, or fsspec or a package for the URL is not installed.
    """

    def __init__(self, location: str) -> None:
        try:
            import fsspec

            self._files, self._root = fsspec.core.url_to_fs(location)
        except ImportError as error:
            raise UserError(f"{location} needs {error.name or 'fsspec'}: pip install 'tfretrieval[ray]'") from None
        except ValueError as error:
            raise UserError(f"{location}: {error}") from None
        self.location = location

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
        if existing is not None and not header.items() <= existing.items():
            raise UserError(f"{self.location} holds vectors of another model or other images; use another --shards")
        with self._one_line_errors(HEADER):
            self._files.makedirs(self._root, exist_ok=True)
            if existing is None:
                self._write(HEADER, json.dumps(header).encode())
            return {posixpath.basename(path) for path in self._files.ls(self._root, detail=False)}

    def write_shard(self, name: str, columns: Mapping[str, Any], broken: Mapping[str, str]) -> None:
        """Write a shard atomically.

        Args:
            name: see `shard_name`.
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

    def count(self, names: list[str]) -> tuple[int, dict[str, str]]:
        """Number of items in some shards, and {path: reason} of the unreadable images.

        Raises:
            UserError: a shard is missing or damaged.
        """
        n, broken = 0, {}
        for name in names:
            with self._one_line_errors(name):
                metadata = pq.read_metadata(f"{self._root}/{name}", filesystem=self._files)
                n += metadata.num_rows
                broken.update(json.loads(metadata.metadata[BROKEN_KEY]))
        return n, broken

    def finish(self, names: list[str], n: int) -> None:
        """Mark the shards as finished, with the names of all shards and n items."""
        header = {**(self.header() or {}), "shards": names, "n": n}
        with self._one_line_errors(HEADER):
            self._write(HEADER, json.dumps(header).encode())

    def header(self) -> dict[str, Any] | None:
        """Content of `shards.json`; None if it is missing.

        Raises:
            UserError: it is damaged or cannot be read.
        """
        with self._one_line_errors(HEADER), contextlib.suppress(FileNotFoundError):
            return dict(json.loads(self._files.cat_file(f"{self._root}/{HEADER}")))
        return None

    def to_store(self, directory: Path) -> Embeddings:
        """Concatenate all shards into an embedding store; memory holds the ids and one shard.

        Args:
            directory: directory of the store. An up-to-date store there is returned as it is.

        Raises:
            UserError: the shards are unfinished or damaged, or the directory cannot be written.
        """
        header = self.header()
        if header is None:
            raise UserError(f"{self.location} is neither an embedding store nor shards of one")
        if "shards" not in header:
            raise UserError(f"{self.location} is not finished; repeat the `tfret embed --shards` that wrote it")
        with self._one_line_errors(HEADER):
            n, dim, class_names, provenance = (header[key] for key in ("n", "dim", "class_names", "provenance"))
        stored = load_or_none(Embeddings.load, directory)
        if stored is not None and stored.provenance == provenance and len(stored) == n:
            return stored
        columns: dict[str, list[Any]] = {"id": [], "path": [], "label": [], "split": []}
        with PartialStore(directory, n, dim, provenance) as store:
            for name in header["shards"]:
                path = f"{self._root}/{name}"
                with self._one_line_errors(name), pq.ParquetFile(path, filesystem=self._files) as file:
                    table = file.read()
                    vectors = np.asarray(table["vector"].combine_chunks().flatten()).reshape(-1, dim)
                    store.put(len(columns["id"]) + np.arange(len(vectors)), vectors)
                    for key, values in columns.items():
                        values.extend(table[key].to_pylist())
            if len(columns["id"]) != n:
                raise UserError(f"{self.location} is damaged: it holds {len(columns['id'])} items instead of {n}")
            labels = label_indices(columns["label"], class_names)
            items = Catalog.from_lists(columns["path"], labels, class_names, columns["split"], columns["id"])
            return store.finish(items)

    def _write(self, name: str, content: bytes) -> None:
        path = f"{self._root}/{name}"
        if "file" in self._files.protocol:
            with replaced_file(path) as temporary:
                temporary.write_bytes(content)
        else:
            self._files.pipe_file(path, content)  # object stores write files atomically

    @contextlib.contextmanager
    def _one_line_errors(self, name: str) -> Iterator[None]:
        """Turn errors of using a file into one line; file systems and damaged files raise errors of any class."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"cannot use {name} in {self.location} ({type(error).__name__}: {one_line(error, 160)})",
                "if it is missing or damaged, delete it and repeat the `tfret embed --shards` that wrote it",
            ) from None


def shard_name(first_row: int) -> str:
    """File name of the shard that starts at a row of the catalog."""
    return f"shard-{first_row:012d}.parquet"


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
