"""A collection of a Milvus database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError
from tfretrieval.progress import progress
from tfretrieval.retrieval.distances import blocks
from tfretrieval.retrieval.milvus.client import check_address, connect, one_line_errors

FINGERPRINT = "tfretrieval.fingerprint"
TEXT_BYTES = 4096
TIMEOUT = 60  # seconds for one request, with the retries of the client
RETRIES = 6  # for requests without a timeout
BATCH_BYTES = 1 << 22
MAX_ROWS = 2000
IDS_PER_REQUEST = 1000
FIELDS = ("id", "path", "label", "split", "digest", "vector")


class MilvusCollection:
    """One collection; connects on construction.

    Args:
        uri: a path that ends in .db, for Milvus Lite in this process, or http(s)://host:port.
        name: letters, digits and underscores.
        token_env: environment variable that holds the token ("user:password" or an API key).

    Raises:
        UserError: pymilvus is not installed, the address or the name is not valid, the token's variable is not set,
            or the database cannot be reached.
    """

    def __init__(self, uri: str, name: str, token_env: str | None = None) -> None:
        check_address(uri, name)
        self.uri = uri
        self.name = name
        self._client = connect(uri, token_env, TIMEOUT)

    def describe(self) -> dict[str, Any] | None:
        """A dict of fingerprint, dim, metric_type and index_type; None if the collection does not exist.

        Raises:
            UserError: the collection was not created by this package.
        """
        with one_line_errors(self.uri):
            if not self._client.has_collection(self.name, timeout=TIMEOUT):
                return None
            found = self._client.describe_collection(self.name, timeout=TIMEOUT)
            fingerprint = dict(found.get("properties") or {}).get(FINGERPRINT)
            dims = {field["name"]: field.get("params", {}).get("dim") for field in found["fields"]}
            if fingerprint is None or set(dims) != set(FIELDS):
                raise UserError(
                    f"the collection {self.name} at {self.uri} was not created by tfretrieval",
                    "give another --collection",
                )
            index = self._client.describe_index(self.name, "vector", timeout=TIMEOUT) or {}
        return {
            "fingerprint": fingerprint,
            "dim": int(dims["vector"]),
            "metric_type": index.get("metric_type"),
            "index_type": index.get("index_type"),
        }

    def create(self, dim: int, fingerprint: str) -> None:
        """Create an empty collection for vectors of `dim` dimensions, without an index."""
        from pymilvus import DataType, MilvusClient

        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=TEXT_BYTES)
        for field in ("path", "label", "split"):
            schema.add_field(field, DataType.VARCHAR, max_length=TEXT_BYTES)
        schema.add_field("digest", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
        with one_line_errors(self.uri):
            self._client.create_collection(
                self.name,
                schema=schema,
                properties={FINGERPRINT: fingerprint},
                consistency_level="Strong",
                timeout=TIMEOUT,
            )

    def drop(self) -> None:
        """Drop the collection."""
        with one_line_errors(self.uri):
            self._client.drop_collection(self.name, timeout=TIMEOUT)

    def create_index(self, metric_type: str, index_type: str, params: Mapping[str, Any]) -> None:
        """Replace the index of the vectors, and load the collection."""
        with one_line_errors(self.uri):
            indexes = self._client.prepare_index_params()
            indexes.add_index("vector", index_type=index_type, metric_type=metric_type, params=dict(params))
            if self._client.list_indexes(self.name):
                self._client.release_collection(self.name, timeout=TIMEOUT)
                self._client.drop_index(self.name, "vector", timeout=TIMEOUT)
            self._client.create_index(self.name, indexes, retry_times=RETRIES)
            self._client.load_collection(self.name, retry_times=RETRIES)

    def load(self) -> None:
        """Load the collection, so that it can be searched."""
        with one_line_errors(self.uri):
            self._client.load_collection(self.name, retry_times=RETRIES)

    def digests(self) -> dict[str, int]:
        """{id: digest} of all items of a loaded collection."""
        found: dict[str, int] = {}
        with one_line_errors(self.uri):
            rows = self._client.query_iterator(self.name, batch_size=5000, output_fields=["id", "digest"])
            while batch := rows.next():
                found.update((row["id"], row["digest"]) for row in batch)
            rows.close()
        return found

    def put(self, items: Catalog, vectors: np.ndarray, digests: Sequence[int]) -> None:
        """Insert items or replace those with the same ids, in batches."""
        texts = {"id": items.ids, "path": items.paths, "label": items.classes(), "split": items.splits}
        columns = {name: [str(value) for value in values] for name, values in texts.items()}
        for values in columns.values():
            for value in values:
                if len(value.encode("utf-8", "surrogateescape")) > TEXT_BYTES:
                    raise UserError(f"{value[:60]!r}... is too long: Milvus stores strings of up to {TEXT_BYTES} bytes")
        rows_per_batch = max(1, min(MAX_ROWS, BATCH_BYTES // (4 * vectors.shape[1])))
        with one_line_errors(self.uri), progress(None, "insert into Milvus", total=len(items)) as bar:
            for block in blocks(len(items), rows_per_batch):
                rows = [
                    {
                        **{name: values[i] for name, values in columns.items()},
                        "digest": digests[i],
                        "vector": vectors[i],
                    }
                    for i in range(block.start, block.stop)
                ]
                self._client.upsert(self.name, rows, timeout=TIMEOUT)
                bar.update(len(rows))

    def delete(self, ids: Sequence[str]) -> None:
        """Delete items by their ids."""
        with one_line_errors(self.uri):
            for block in blocks(len(ids), IDS_PER_REQUEST):
                self._client.delete(self.name, ids=list(ids[block]), timeout=TIMEOUT)

    def flush(self) -> None:
        """Write everything to disk."""
        with one_line_errors(self.uri):
            self._client.flush(self.name, retry_times=RETRIES)

    def count(self) -> int:
        """Number of items of a loaded collection."""
        with one_line_errors(self.uri):
            (row,) = self._client.query(self.name, filter="", output_fields=["count(*)"], timeout=TIMEOUT)
        return int(row["count(*)"])

    def search(
        self, queries: np.ndarray, k: int, params: Mapping[str, Any], expression: str = ""
    ) -> list[tuple[list[str], list[float]]]:
        """Ids and scores of up to k items for each query, best first."""
        with one_line_errors(self.uri):
            found = self._client.search(
                self.name,
                data=list(queries),
                limit=k,
                filter=expression,
                output_fields=["id"],
                search_params={"params": dict(params)},
                timeout=TIMEOUT,
            )
            return [([hit["id"] for hit in hits], [hit["distance"] for hit in hits]) for hits in found]


def filter_expression(where: Mapping[str, Sequence[str]]) -> str:
    """A filter in Milvus's expression language, "" for no filter.

    >>> filter_expression({"classes": ["cat"], "splits": []})
    'label in ["cat"]'
    """
    fields = {"classes": "label", "splits": "split"}
    parts = [
        f"{fields[name]} in {json.dumps(list(values), ensure_ascii=False)}" for name, values in where.items() if values
    ]
    return " and ".join(parts)
