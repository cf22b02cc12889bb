"""A collection of a Milvus database, by the calls that this package needs, with errors in one line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfretrieval.errors import UserError
from tfretrieval.progress import progress
from tfretrieval.retrieval.blocks import blocks
from tfretrieval.retrieval.items import Items
from tfretrieval.retrieval.milvus.client import check_address, connect, speaking

MADE_BY = "tfretrieval.made_by"
TEXT_BYTES = 4096
SECONDS = 60  # for one request; within them the client tries again
RETRIES = 6  # of requests that may take as long as they need
BATCH_BYTES = 1 << 22
MOST_ROWS = 2000
IDS_A_REQUEST = 1000
FIELDS = ("id", "path", "label", "split", "digest", "vector")


class MilvusCollection:
    """One collection; the connection is made at once.

    Args:
        uri: a path that ends in .db, for Milvus Lite in this process, or http(s)://host:port.
        name: of the collection: letters, digits and underscores.
        token_env: environment variable that holds the token ("user:password" or an API key).

    Raises:
        UserError: pymilvus is not installed, the address or the name is not valid, the token's variable is not set,
            nobody answers there.
    """

    def __init__(self, uri: str, name: str, token_env: str | None = None) -> None:
        check_address(uri, name)
        self.uri = uri
        self.name = name
        self._client = connect(uri, token_env, SECONDS)

    def describe(self) -> dict[str, Any] | None:
        """What there is under the name: {"made_by", "dim", "metric_type", "index_type"}; None if nothing.

        Raises:
            UserError: there is a collection that this package did not make.
        """
        with speaking(self.uri):
            if not self._client.has_collection(self.name, timeout=SECONDS):
                return None
            found = self._client.describe_collection(self.name, timeout=SECONDS)
            made_by = dict(found.get("properties") or {}).get(MADE_BY)
            dims = {field["name"]: field.get("params", {}).get("dim") for field in found["fields"]}
            if made_by is None or set(dims) != set(FIELDS):
                raise UserError(
                    f"the collection {self.name} at {self.uri} was not made by tfretrieval; give another --collection"
                )
            index = self._client.describe_index(self.name, "vector", timeout=SECONDS) or {}
        return {
            "made_by": made_by,
            "dim": int(dims["vector"]),
            "metric_type": index.get("metric_type"),
            "index_type": index.get("index_type"),
        }

    def create(self, dim: int, made_by: str) -> None:
        """An empty collection for vectors of `dim` values, without an index."""
        from pymilvus import DataType, MilvusClient

        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=TEXT_BYTES)
        for field in ("path", "label", "split"):
            schema.add_field(field, DataType.VARCHAR, max_length=TEXT_BYTES)
        schema.add_field("digest", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
        with speaking(self.uri):
            self._client.create_collection(
                self.name,
                schema=schema,
                properties={MADE_BY: made_by},
                consistency_level="Strong",
                timeout=SECONDS,
            )

    def drop(self) -> None:
        """Drop the collection."""
        with speaking(self.uri):
            self._client.drop_collection(self.name, timeout=SECONDS)

    def make_index(self, metric_type: str, index_type: str, params: Mapping[str, Any]) -> None:
        """Index the vectors, in place of the index that may be there, and load the collection."""
        with speaking(self.uri):
            indexes = self._client.prepare_index_params()
            indexes.add_index("vector", index_type=index_type, metric_type=metric_type, params=dict(params))
            if self._client.list_indexes(self.name):
                self._client.release_collection(self.name, timeout=SECONDS)
                self._client.drop_index(self.name, "vector", timeout=SECONDS)
            self._client.create_index(self.name, indexes, retry_times=RETRIES)
            self._client.load_collection(self.name, retry_times=RETRIES)

    def load(self) -> None:
        """Make the collection ready to be searched."""
        with speaking(self.uri):
            self._client.load_collection(self.name, retry_times=RETRIES)

    def digests(self) -> dict[str, int]:
        """{id: digest} of all items; the collection is loaded."""
        found: dict[str, int] = {}
        with speaking(self.uri):
            rows = self._client.query_iterator(self.name, batch_size=5000, output_fields=["id", "digest"])
            while batch := rows.next():
                found.update((row["id"], row["digest"]) for row in batch)
            rows.close()
        return found

    def put(self, items: Items, vectors: np.ndarray, digests: Sequence[int]) -> None:
        """Insert items, or replace those with the same ids, batch by batch."""
        texts = {"id": items.ids, "path": items.paths, "label": items.classes, "split": items.splits}
        columns = {name: [str(value) for value in values] for name, values in texts.items()}
        for values in columns.values():
            for value in values:
                if len(value.encode("utf-8", "surrogateescape")) > TEXT_BYTES:
                    raise UserError(f"Milvus keeps texts of up to {TEXT_BYTES} bytes; too long is {value[:60]!r}...")
        rows_a_batch = max(1, min(MOST_ROWS, BATCH_BYTES // (4 * vectors.shape[1])))
        with speaking(self.uri), progress(None, "insert into Milvus", total=len(items)) as bar:
            for block in blocks(len(items), rows_a_batch):
                rows = [
                    {
                        **{name: values[i] for name, values in columns.items()},
                        "digest": digests[i],
                        "vector": vectors[i],
                    }
                    for i in range(block.start, block.stop)
                ]
                self._client.upsert(self.name, rows, timeout=SECONDS)
                bar.update(len(rows))

    def delete(self, ids: Sequence[str]) -> None:
        """Delete items by their ids."""
        with speaking(self.uri):
            for block in blocks(len(ids), IDS_A_REQUEST):
                self._client.delete(self.name, ids=list(ids[block]), timeout=SECONDS)

    def flush(self) -> None:
        """Have everything on disk."""
        with speaking(self.uri):
            self._client.flush(self.name, retry_times=RETRIES)

    def count(self) -> int:
        """How many items there are; the collection is loaded."""
        with speaking(self.uri):
            (row,) = self._client.query(self.name, filter="", output_fields=["count(*)"], timeout=SECONDS)
        return int(row["count(*)"])

    def search(
        self, queries: np.ndarray, k: int, params: Mapping[str, Any], where: str = ""
    ) -> list[tuple[list[str], list[float]]]:
        """For each query ids and scores of up to k items, best first."""
        with speaking(self.uri):
            found = self._client.search(
                self.name,
                data=list(queries),
                limit=k,
                filter=where,
                output_fields=["id"],
                search_params={"params": dict(params)},
                timeout=SECONDS,
            )
            return [([hit["id"] for hit in hits], [hit["distance"] for hit in hits]) for hits in found]


def where(classes: Sequence[str], splits: Sequence[str]) -> str:
    """A filter in Milvus's language; "" for everything."""
    parts = [
        f"{field} in {json.dumps(list(values), ensure_ascii=False)}"
        for field, values in (("label", classes), ("split", splits))
        if values
    ]
    return " and ".join(parts)
