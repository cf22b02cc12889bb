"""A catalog on disk: the columns id, path, label and split of a Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfretrieval.artifacts import CorruptArtifact
from tfretrieval.data.catalog import Catalog, as_strings

ITEMS = "items.parquet"


def write_items(path: Path, catalog: Catalog) -> None:
    """Write ids, paths, labels and splits of a catalog."""
    names = np.array([*catalog.class_names, None], dtype=object)
    columns = {"id": catalog.ids, "path": catalog.paths, "label": names[catalog.labels], "split": catalog.splits}
    pq.write_table(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}), path)


def read_items(path: Path, class_names: Sequence[str]) -> Catalog:
    """Read a catalog. Ids, paths and splits are read from the file on first access.

    Raises:
        CorruptArtifact: the file is missing or damaged.
        KeyError: a label is not one of `class_names`.
    """
    index = {name: label for label, name in enumerate(class_names)}
    codes, names = _dictionary_codes(_read_column(path, "label"))
    labels = np.array([*(index[name] for name in names), -1], np.int32)[codes]
    catalog = object.__new__(_StoredCatalog)
    catalog.__dict__.update(labels=labels, class_names=tuple(class_names), _path=path)
    return catalog


class _StoredCatalog(Catalog):
    """A catalog whose string columns are read on first access."""

    is_query = None
    is_gallery = None
    source = ""

    @cached_property
    def ids(self) -> np.ndarray:
        return as_strings(_read_column(self.__dict__["_path"], "id").to_pylist())

    @cached_property
    def paths(self) -> np.ndarray:
        return as_strings(_read_column(self.__dict__["_path"], "path").to_pylist())

    @cached_property
    def splits(self) -> np.ndarray:
        codes, names = _dictionary_codes(_read_column(self.__dict__["_path"], "split"))
        return as_strings(names)[codes]


def _read_column(path: Path, name: str) -> Any:
    try:
        return pq.ParquetFile(path).read(columns=[name])[name].combine_chunks()
    except (OSError, KeyError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0][:160]
        raise CorruptArtifact(f"{path} is corrupt ({reason})", f"delete {path.parent} to rebuild it") from None


def _dictionary_codes(column: Any) -> tuple[np.ndarray, list[str]]:
    """Indices int64 [n] into the distinct strings of an Arrow array, -1 for null, and those strings.

    Reads the Arrow buffers directly: pyarrow's own conversions to NumPy import pandas where it is installed, which a
    query would wait for.
    """
    encoded = column.dictionary_encode()
    validity, indices = encoded.indices.buffers()
    start, stop = encoded.indices.offset, encoded.indices.offset + len(encoded)
    codes = np.frombuffer(indices, np.int32)[start:stop].astype(np.int64)
    if validity is not None:
        codes[np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")[start:stop] == 0] = -1
    return codes, encoded.dictionary.to_pylist()
