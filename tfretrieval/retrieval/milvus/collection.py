"""A collection of a Milvus database."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
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
        if not self._call(self._client.has_collection, timeout=TIMEOUT):
            return None
        description = self._call(self._client.describe_collection, timeout=TIMEOUT)
        fingerprint = dict(description.get("properties") or {}).get(FINGERPRINT)
        dims = {field["name"]: field.get("params", {}).get("dim") for field in description["fields"]}
        if fingerprint is None or set(dims) != set(FIELDS):
            raise UserError(
                f"the collection {self.name} at {self.uri} was not created by tfretrieval", "give another --collection"
            )
        index = self._call(self._client.describe_index, index_name="vector", timeout=TIMEOUT) or {}
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
        self._call(
            self._client.create_collection,
            schema=schema,
            properties={FINGERPRINT: fingerprint},
            consistency_level="Strong",
            timeout=TIMEOUT,
        )

    def drop(self) -> None:
        """Drop the collection."""
        self._call(self._client.drop_collection, timeout=TIMEOUT)

    def create_index(self, metric_type: str, index_type: str, params: Mapping[str, Any]) -> None:
        """Replace the index of the vectors, and load the collection."""
        indexes = self._client.prepare_index_params()
        indexes.add_index("vector", index_type=index_type, metric_type=metric_type, params=dict(params))
        if self._call(self._client.list_indexes):
            self._call(self._client.release_collection, timeout=TIMEOUT)
            self._call(self._client.drop_index, index_name="vector", timeout=TIMEOUT)
        self._call(self._client.create_index, index_params=indexes, retry_times=RETRIES)
        self.load()

    def load(self) -> None:
        """Load the collection, so that it can be searched."""
        self._call(self._client.load_collection, retry_times=RETRIES)

    def digests(self) -> dict[str, int]:
        """{id: digest} of all items of a loaded collection."""
        digests: dict[str, int] = {}
        with one_line_errors(self.uri):
            rows = self._client.query_iterator(self.name, batch_size=5000, output_fields=["id", "digest"])
            while batch := rows.next():
                digests.update((row["id"], row["digest"]) for row in batch)
            rows.close()
        return digests

    def put(self, items: Catalog, vectors: np.ndarray, digests: Sequence[int]) -> None:
        """Insert items or replace those with the same ids, in batches."""
        columns = {
            "id": map(str, items.ids),
            "path": map(str, items.paths),
            "label": map(str, items.item_class_names()),
            "split": map(str, items.splits),
            "digest": digests,
            "vector": vectors,
        }
        rows = (dict(zip(columns, values)) for values in zip(*columns.values()))
        rows_per_batch = max(1, min(MAX_ROWS, BATCH_BYTES // (4 * vectors.shape[1])))
        with progress(None, "insert into Milvus", total=len(items)) as bar:
            for block in blocks(len(items), rows_per_batch):
                batch = list(itertools.islice(rows, block.stop - block.start))
                self._call(self._client.upsert, data=batch, timeout=TIMEOUT)
                bar.update(len(batch))

    def delete(self, ids: Sequence[str]) -> None:
        """Delete items by their ids."""
        for block in blocks(len(ids), IDS_PER_REQUEST):
            self._call(self._client.delete, ids=list(ids[block]), timeout=TIMEOUT)

    def flush(self) -> None:
        """Write everything to disk."""
        self._call(self._client.flush, retry_times=RETRIES)

    def count(self) -> int:
        """Number of items of a loaded collection."""
        (row,) = self._call(self._client.query, filter="", output_fields=["count(*)"], timeout=TIMEOUT)
        return int(row["count(*)"])

    def search(
        self, queries: np.ndarray, k: int, params: Mapping[str, Any], expression: str = ""
    ) -> list[tuple[list[str], list[float]]]:
        """Ids and scores of up to k items for each query, best first."""
        results = self._call(
            self._client.search,
            data=list(queries),
            limit=k,
            filter=expression,
            output_fields=["id"],
            search_params={"params": dict(params)},
            timeout=TIMEOUT,
        )
        return [([hit["id"] for hit in hits], [hit["distance"] for hit in hits]) for hits in results]

    def _call(self, method: Callable[..., Any], **arguments: Any) -> Any:
        """Call a method of the client for this collection; its errors become one line."""
        with one_line_errors(self.uri):
            return method(self.name, **arguments)


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
