"""Embeddings as Parquet shards, which many machines write and which are read as one store.

A folder of shards, on a disk or wherever fsspec writes, holds `shards.json` (what made the vectors) and
`part-<first row>.parquet` with the columns id, path, label, split and vector. A part is named after the rows it is made
from, so that a part that is written twice is the same part. A `shards.json` that says how many items there are is the
last thing to be written.
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

from tfretrieval.data.cache import cache_folder
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError

HEADER = "shards.json"
FORMAT = 1
BROKEN = b"broken"  # in a part's metadata


class Shards:
    """A folder of shards.

    Args:
        where: a path, or an address of fsspec such as s3://bucket/vectors.

    Raises:
        UserError: fsspec or what it needs for the address is not installed.
    """

    def __init__(self, where: str) -> None:
        try:
            import fsspec

            self._files, self._root = fsspec.core.url_to_fs(where)
        except ImportError as error:
            raise UserError(f"{where} needs {error.name or 'fsspec'}; use pip install 'tfretrieval[ray]'") from None
        except ValueError as error:
            raise UserError(f"{where}: {error}") from None
        self.where = where

    def begin(self, dim: int, class_names: tuple[str, ...], made_from: Mapping[str, Any]) -> set[str]:
        """Claim the folder for vectors that are made from something; the parts that are there already.

        Raises:
            UserError: it holds vectors that were made from something else, or cannot be written.
        """
        header = {"format": FORMAT, "dim": dim, "class_names": list(class_names), "made_from": dict(made_from)}
        before = self.header()
        if before is not None and {name: before.get(name) for name in header} != header:
            raise UserError(f"{self.where} holds vectors of another model or other images; give another --shards")
        with self._clear():
            self._files.makedirs(self._root, exist_ok=True)
            if before is None:
                self._write(HEADER, json.dumps(header).encode())
            return {posixpath.basename(path) for path in self._files.ls(self._root, detail=False)}

    def write_part(self, name: str, columns: Mapping[str, Any], broken: Mapping[str, str]) -> None:
        """Write a part, whole or not at all.

        Args:
            name: see `part_name`.
            columns: id, path, label (None: not known), split, vector [b, d].
            broken: {path: reason} of the files that are not among them.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        vectors = np.ascontiguousarray(columns["vector"], np.float32)
        arrays = {key: pa.array(list(columns[key]), pa.string()) for key in ("id", "path", "label", "split")}
        flat = pa.array(vectors.reshape(-1), pa.float32())
        arrays["vector"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        sink = pa.BufferOutputStream()
        table = pa.table(arrays).replace_schema_metadata({BROKEN: json.dumps(dict(broken))})
        pq.write_table(table, sink, compression="none")
        self._write(name, sink.getvalue().to_pybytes())

    def counted(self, parts: list[str]) -> tuple[int, dict[str, str]]:
        """How many items some parts hold, and {path: reason} of the files that were broken.

        Raises:
            UserError: a part is not there or damaged.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        n, broken = 0, {}
        with self._clear():
            for name in parts:
                try:
                    with self._files.open(f"{self._root}/{name}", "rb") as file:
                        whole = pq.ParquetFile(file).metadata
                        n += whole.num_rows
                        broken.update(json.loads((whole.metadata or {}).get(BROKEN, b"{}")))
                except (FileNotFoundError, pa.ArrowException):
                    raise UserError(f"{self.where} is damaged: delete {name} and embed again") from None
        return n, broken

    def finish(self, parts: list[str], n: int) -> None:
        """Write down which parts there are and that they hold n items."""
        header = self.header() or {}
        with self._clear():
            self._write(HEADER, json.dumps({**header, "parts": parts, "n": n}).encode())

    def header(self) -> dict[str, Any] | None:
        """What `shards.json` holds; None where there is none.

        Raises:
            UserError: it cannot be read.
        """
        with self._clear():
            try:
                return dict(json.loads(self._files.cat_file(f"{self._root}/{HEADER}")))
            except FileNotFoundError:
                return None
            except ValueError:
                raise UserError(f"{self.where} is damaged: {HEADER} cannot be read") from None

    def joined(self, directory: Path) -> Embeddings:
        """All parts as one store, in a folder; memory holds ids and one part.

        Raises:
            UserError: the shards are not finished or damaged, or the folder cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        header = self.header()
        if header is None:
            raise UserError(f"{self.where} holds neither an embedding store nor shards of one")
        if "parts" not in header:
            raise UserError(f"{self.where} is not finished; go on with the `tfret embed --shards` that began it")
        with self._clear():
            there = {posixpath.basename(path) for path in self._files.ls(self._root, detail=False)}
        if gone := sorted(set(header["parts"]) - there):
            raise UserError(
                f"{self.where} is damaged: {gone[0]} is gone; the `tfret embed` that wrote it makes it anew"
            )
        if (directory / "embeddings.json").is_file():
            stored = Embeddings.load(directory)
            if stored.provenance == header["made_from"] and len(stored) == header["n"]:
                return stored
        directory.parent.mkdir(parents=True, exist_ok=True)
        file = directory.parent / f".tmp-{uuid.uuid4().hex}.npy"
        columns: dict[str, list[Any]] = {"id": [], "path": [], "label": [], "split": []}
        try:
            vectors = np.lib.format.open_memmap(file, "w+", np.float32, (header["n"], header["dim"]))
            start = 0
            for name in header["parts"]:
                with self._clear():
                    content = self._files.cat_file(f"{self._root}/{name}")
                table = pq.read_table(pa.BufferReader(content))
                flat = table["vector"].combine_chunks().flatten()
                vectors[start : start + len(table)] = np.asarray(flat).reshape(-1, header["dim"])
                start += len(table)
                for key, values in columns.items():
                    values.extend(table[key].to_pylist())
            vectors.flush()
            if start != header["n"]:
                raise ValueError(f"{start} items where there should be {header['n']}")
            number_of = {name: label for label, name in enumerate(header["class_names"])}
            Embeddings.from_arrays(
                vectors,
                [-1 if label is None else number_of[label] for label in columns["label"]],
                header["class_names"],
                columns["id"],
                columns["path"],
                columns["split"],
                header["made_from"],
            ).save(directory, file)
        except (KeyError, ValueError, FileNotFoundError, pa.ArrowException) as error:
            raise UserError(f"{self.where} is damaged: {str(error).splitlines()[0][:160]}") from None
        finally:
            file.unlink(missing_ok=True)
        return Embeddings.load(directory)

    def _write(self, name: str, content: bytes) -> None:
        path = f"{self._root}/{name}"
        if "file" not in (self._files.protocol if isinstance(self._files.protocol, tuple) else (self._files.protocol,)):
            self._files.pipe_file(path, content)  # which appears whole
            return
        temporary = f"{self._root}/.tmp-{uuid.uuid4().hex}"
        self._files.pipe_file(temporary, content)
        Path(temporary).replace(path)

    @contextlib.contextmanager
    def _clear(self) -> Iterator[None]:
        """Inside the block what a file system raises, which may be anything but that a file is missing, is one line."""
        try:
            yield
        except (UserError, FileNotFoundError):
            raise
        except Exception as error:
            words = " ".join(f"{type(error).__name__} {error}".split())[:160]
            raise UserError(f"{self.where} cannot be used: {words}") from None


def part_name(first_row: int) -> str:
    """The name of the part that begins with a row of its catalog."""
    return f"part-{first_row:012d}.parquet"


def load_store(where: str) -> Embeddings:
    """An embedding store, or the shards of one: those are joined beside themselves, or where remote in the cache.

    Raises:
        UserError: it is neither, or damaged.
    """
    if "://" not in where:
        if not (Path(where) / HEADER).is_file():
            return Embeddings.load(where)
        return Shards(where).joined(Path(where) / "joined")
    return Shards(where).joined(cache_folder() / "shards" / re.sub(r"[^\w.-]+", "_", where))
