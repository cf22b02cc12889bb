"""Embeddings on disk: `vectors.npy`, `items.parquet` and `embeddings.json`."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfretrieval.atomic import read_json, replaced_directory, write_json
from tfretrieval.embedding.store import Embeddings, strings
from tfretrieval.errors import UserError

FORMAT = 1


def save(embeddings: Embeddings, directory: Path, vectors_file: Path | None) -> None:
    """As `Embeddings.save`."""
    finite = np.concatenate([np.isfinite(block).all(axis=1) for block in embeddings.blocks()] or [np.ones(0, bool)])
    if not finite.all():
        bad = embeddings.ids[~finite]
        raise UserError(f"{len(bad)} vectors hold NaN or infinity, the first that of {bad[0]}")
    names = np.array([*embeddings.class_names, None], dtype=object)
    table = pa.table(
        {
            "id": pa.array(embeddings.ids, pa.string()),
            "path": pa.array(embeddings.paths, pa.string()),
            "label": pa.array(names[embeddings.labels], pa.string()),
            "split": pa.array(embeddings.splits, pa.string()),
        }
    )
    with replaced_directory(directory, "embeddings.json") as temporary:
        pq.write_table(table, temporary / "items.parquet")
        write_json(
            temporary / "embeddings.json",
            {
                "format": FORMAT,
                "n": len(embeddings),
                "dim": embeddings.dim,
                "fingerprint": embeddings.fingerprint,
                "class_names": list(embeddings.class_names),
                "made_from": dict(embeddings.made_from),
            },
        )
        if vectors_file is None:
            np.save(temporary / "vectors.npy", embeddings.vectors, allow_pickle=False)
        else:
            os.replace(vectors_file, temporary / "vectors.npy")


def load(directory: Path, mmap: bool) -> Embeddings:
    """As `Embeddings.load`."""
    if not (directory / "embeddings.json").is_file():
        raise UserError(f"{directory} is not an embedding store: it has no embeddings.json; `tfret embed` makes one")
    header = read_json(directory / "embeddings.json", "rebuild it with `tfret embed`")
    try:
        class_names = tuple(header["class_names"])
        number_of = {name: label for label, name in enumerate(class_names)}
        vectors = _array(directory / "vectors.npy", mmap)
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


def clear_remains(directory: Path) -> None:
    """Delete the files of a store that has lost its `embeddings.json`: nothing would know the folder for one."""
    if not (directory / "embeddings.json").exists():
        for name in ("vectors.npy", "items.parquet"):
            (directory / name).unlink(missing_ok=True)


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
        directory: Path = self.__dict__["_directory"]
        try:
            column = pq.ParquetFile(directory / "items.parquet").read(columns=[name])[name].combine_chunks()
        except (OSError, pa.ArrowException) as error:
            raise _damaged(directory, error) from None
        if name == "split":  # few different ones
            places, names = _codes(column)
            return strings(names)[places]
        return strings(column.to_pylist())


def _array(file: Path, mmap: bool) -> np.ndarray:
    try:
        return np.load(file, mmap_mode="r" if mmap else None, allow_pickle=False)
    except ValueError:
        raise ValueError(f"{file.name} is no whole array") from None  # NumPy would recommend pickle


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
    return UserError(f"{directory} is damaged ({error}); rebuild it with `tfret embed`")
