"""A catalog on disk: the columns id, path, label and split of a Parquet file."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfretrieval.artifacts import ArtifactType
from tfretrieval.data.catalog import Catalog, as_strings

ITEMS = "items.parquet"


def write_items(path: Path, catalog: Catalog) -> None:
    """Write ids, paths, labels and splits of a catalog."""
    names = np.array([*catalog.class_names, None], dtype=object)
    columns = {"id": catalog.ids, "path": catalog.paths, "label": names[catalog.labels], "split": catalog.splits}
    pq.write_table(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}), path)


def read_items(path: Path, class_names: Sequence[str], artifact: ArtifactType) -> Catalog:
    """Read a catalog. Ids, paths and splits are read from the file on first access.

    Args:
        path: the file.
        class_names: name of each class.
        artifact: type of the artifact that the file belongs to, for the message about a damaged file.

    Raises:
        CorruptArtifact: the file is missing or damaged.
        KeyError: a label is not one of `class_names`.
    """
    catalog = object.__new__(_StoredCatalog)
    catalog.__dict__.update(class_names=tuple(class_names), _path=path, _artifact=artifact)
    index = dict(zip([None, *class_names], range(-1, len(class_names))))
    codes, names = catalog._codes("label")
    catalog.__dict__["labels"] = np.array([index[name] for name in names], np.int32)[codes]
    return catalog


class _StoredCatalog(Catalog):
    """A catalog whose string columns are read on first access."""

    _path: Path
    _artifact: ArtifactType

    @cached_property
    def ids(self) -> np.ndarray:
        return as_strings(self._column("id").to_pylist())

    @cached_property
    def paths(self) -> np.ndarray:
        return as_strings(self._column("path").to_pylist())

    @cached_property
    def splits(self) -> np.ndarray:
        codes, names = self._codes("split")
        return as_strings(names)[codes]

    def _codes(self, name: str) -> tuple[np.ndarray, list[Any]]:
        """Indices int32 [n] into the distinct values of a column, and those values.

        Reads the Arrow buffer directly: pyarrow's own conversions to NumPy import pandas where it is installed, which
        a query would wait for.
        """
        encoded = self._column(name).dictionary_encode(null_encoding="encode")
        codes = encoded.indices
        return np.frombuffer(codes.buffers()[1], np.int32)[codes.offset :][: len(codes)], encoded.dictionary.to_pylist()

    def _column(self, name: str) -> Any:
        try:
            return pq.ParquetFile(self._path).read(columns=[name])[name].combine_chunks()
        except (OSError, KeyError, pa.ArrowException) as error:
            raise self._artifact.corrupt(self._path.parent, f"{self._path.name}: {error}") from None
