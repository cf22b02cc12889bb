"""The retriever `milvus`: a collection of a Milvus database, in this process or on a server."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError
from tfretrieval.retrieval.base import DistancesAndRows, Retriever, Where, kept_rows
from tfretrieval.retrieval.distances import blocks, sort_neighbors
from tfretrieval.retrieval.milvus.collection import FINGERPRINT, MilvusCollection, filter_expression
from tfretrieval.retrieval.milvus.parameters import INDEX_TYPES, with_index_defaults, with_search_defaults
from tfretrieval.vectors import checked_vectors

if TYPE_CHECKING:
    from typing_extensions import Self

METRIC_TYPES = {"euclidean": "L2", "cosine": "IP"}  # for unit vectors the inner product is the cosine similarity
HITS_PER_REQUEST = 1 << 15
LITE_BYTES_PER_REQUEST = 1 << 29
SYNCHRONIZE = "synchronize it with `tfret index`"


class MilvusRetriever(Retriever):
    """Search by a Milvus database, which stores ids, paths, classes and splits beside the vectors.

    `fit` synchronizes the collection with the gallery: it inserts missing items, replaces changed ones and deletes
    others, so that an interrupted `fit` can be repeated. A collection records what made its vectors and refuses others.

    Args:
        uri: a path that ends in .db, for Milvus Lite in this process, or http(s)://host:port of a server.
        collection: name of the collection.
        index_type: "FLAT" is exact; "HNSW", "IVF_FLAT" and others are approximate.
        index_params: parameters of the index, such as {"M": 16, "efConstruction": 200} or {"nlist": 256}.
        search_params: parameters of searches, such as {"ef": 128} or {"nprobe": 16}.
        token_env: environment variable that holds the token of a server.
        metric: "euclidean" or "cosine".
    """

    type_name = "milvus"
    data_file = "ids.parquet"
    _collection: MilvusCollection | None = None
    max_neighbors = 16_383  # Milvus returns 16,384 per query, one of which may be the query itself

    def __init__(
        self,
        uri: str = "milvus.db",
        collection: str = "tfretrieval",
        index_type: str = "FLAT",
        index_params: Mapping[str, Any] | None = None,
        search_params: Mapping[str, Any] | None = None,
        token_env: str | None = None,
        metric: str = "euclidean",
    ) -> None:
        self.uri = uri
        self.collection = collection
        self.index_type = index_type
        self.index_params = index_params
        self.search_params = search_params
        self.token_env = token_env
        self.metric = metric

    @property
    def is_exact(self) -> bool:
        self._check_fitted()
        return self.index_type == "FLAT"

    def is_up_to_date(self) -> bool:
        """Whether the collection still matches the gallery, see `StoresItems`.

        Raises:
            UserError: the retriever is not fitted, or the database cannot be reached.
        """
        return self._matching_collection() is not None

    def fit_items(self, X: Any, items: Catalog, fingerprint: str, replace: bool) -> Self:
        """Fit on vectors with their items, see `StoresItems`.

        Raises:
            UserError: as `fit`, or the collection holds vectors of another model and `replace` is false.
        """
        return self._fit(X, lambda vectors: self._build_collection(vectors, items, fingerprint, replace))

    def add_items(self, X: Any, items: Catalog) -> Self:
        """Append vectors with their items, see `StoresItems`."""
        self._check_changeable()
        vectors = self._prepare(checked_vectors(X, "vectors", self.n_features_in_))
        self._opened.put(items, vectors, _digests(items, vectors))
        self._opened.flush()
        self._set_ids(np.concatenate([self.ids_, items.ids]))
        return self

    def add(self, X: Any) -> Self:
        """Append vectors whose ids are their row numbers, see `Updatable`."""
        return self.add_items(X, _numbered(len(X), self.n_items_))

    def remove(self, rows: np.ndarray) -> Self:
        """Drop rows, see `Updatable`."""
        self._check_changeable()
        kept = kept_rows(self.n_items_, rows)
        self._opened.delete([str(name) for name in self.ids_[~kept]])
        self._opened.flush()
        self._set_ids(self.ids_[kept])
        return self

    def kneighbors_among(self, X: Any, n_neighbors: int, rows: np.ndarray, where: Where) -> DistancesAndRows:
        """The nearest of some gallery rows, see `Filterable`."""
        return self._search(self._check_queries(X), n_neighbors, filter_expression(where), len(rows))

    def _build(self, vectors: np.ndarray) -> None:
        self._build_collection(vectors, _numbered(len(vectors)), fingerprint="", replace=False)

    def _build_collection(self, vectors: np.ndarray, items: Catalog, fingerprint: str, replace: bool) -> None:
        if self.index_type not in INDEX_TYPES:
            raise UserError(f"Milvus has no index type {self.index_type!r}", f"choose from {', '.join(INDEX_TYPES)}")
        collection, dim = self._connect(), vectors.shape[1]
        description = collection.describe()
        expected = {"fingerprint": fingerprint, "dim": dim, "metric_type": METRIC_TYPES[self.metric]}
        if description and any(description[name] not in (value, None) for name, value in expected.items()):
            if not replace:
                raise UserError(
                    f"{self._address} holds vectors of another model or metric",
                    "give another --collection, or replace its content with `tfret index --replace`",
                )
            collection.drop()
            description = None
        if description is None:
            collection.create(dim, fingerprint)
        if description is None or description["index_type"] != self.index_type:
            params = with_index_defaults(self.index_params, self.index_type, *vectors.shape)
            collection.create_index(METRIC_TYPES[self.metric], self.index_type, params)
        else:
            collection.load()
        self._synchronize(collection, vectors, items)
        self._collection, self.fingerprint_ = collection, fingerprint
        self._set_ids(items.ids)

    def _synchronize(self, collection: MilvusCollection, vectors: np.ndarray, items: Catalog) -> None:
        stored, digests = collection.digests(), _digests(items, vectors)
        changed = np.flatnonzero([stored.get(name) != digest for name, digest in zip(items.ids, digests)])
        removed = sorted(stored.keys() - set(items.ids))
        if len(changed):
            collection.put(items.subset(changed), vectors[changed], [digests[row] for row in changed])
        if removed:
            collection.delete(removed)
        if len(changed) or removed:
            collection.flush()
        if (n := collection.count()) != len(items):
            raise UserError(
                f"{self._address} holds {n} items after {len(items)} were inserted",
                "make sure that no other process writes to it",
            )

    def _search(
        self, queries: np.ndarray, k: int, expression: str = "", n_matching: int | None = None
    ) -> DistancesAndRows:
        """Neighbors among the items that a filter expression selects, by default all."""
        if k > self.max_neighbors + 1:
            raise UserError(f"Milvus returns at most {self.max_neighbors + 1} neighbors per query, not {k}")
        index = with_index_defaults(self.index_params, self.index_type, self.n_items_, self.n_features_in_)
        params = with_search_defaults(
            self.search_params, self.index_type, k, self.n_items_, n_matching or self.n_items_, index.get("nlist")
        )
        scores = np.full((len(queries), k), np.inf, np.float32)
        rows = np.full((len(queries), k), -1, np.int64)
        for block in blocks(len(queries), self._queries_per_request(k)):
            hits = self._opened.search(queries[block], k, params, expression)
            for query, (ids, query_scores) in enumerate(hits, block.start):
                rows[query, : len(ids)] = [self._row(name) for name in ids]
                scores[query, : len(ids)] = query_scores
        distances = np.maximum(1 - scores, 0) if self.metric == "cosine" else np.sqrt(np.maximum(scores, 0))
        return sort_neighbors(np.where(rows >= 0, distances, np.float32(np.inf)), rows)

    def _queries_per_request(self, k: int) -> int:
        count = HITS_PER_REQUEST // k
        if "://" not in self.uri:  # Milvus Lite holds all differences of a request in memory, in double precision
            count = min(count, LITE_BYTES_PER_REQUEST // (8 * self.n_items_ * self.n_features_in_))
        return max(1, count)

    def _row(self, name: str) -> int:
        if name not in self._row_of:
            raise UserError(f"{self._address} holds an item {name!r} that this index does not have", SYNCHRONIZE)
        return self._row_of[name]

    @property
    def _address(self) -> str:
        return f"the collection {self.collection} at {self.uri}"

    def _set_ids(self, ids: np.ndarray) -> None:
        self.ids_ = ids
        self.n_items_ = len(ids)
        self._row_of = {name: row for row, name in enumerate(ids)}

    @property
    def _opened(self) -> MilvusCollection:
        """The collection, after a check on first use that it still matches the gallery."""
        self._collection = self._collection or self._matching_collection()
        if self._collection is None:
            raise UserError(f"{self._address} does not match this index", SYNCHRONIZE)
        return self._collection

    def _matching_collection(self) -> MilvusCollection | None:
        """The loaded collection; None if it does not match the gallery."""
        self._check_fitted()
        collection = self._connect()
        stored, expected = collection.describe(), {"fingerprint": self.fingerprint_, "dim": self.n_features_in_}
        if stored is None or not expected.items() <= stored.items():
            return None
        collection.load()
        return collection if collection.count() == self.n_items_ else None

    def _connect(self) -> MilvusCollection:
        return MilvusCollection(self.uri, self.collection, self.token_env)

    def _write(self, path: Path) -> None:
        ids = pa.table({"id": pa.array([str(name) for name in self.ids_], pa.string())})
        pq.write_table(ids.replace_schema_metadata({FINGERPRINT: self.fingerprint_}), path)

    def _read(self, path: Path, mmap: bool) -> None:
        table = pq.ParquetFile(path).read()
        if table.num_rows != self.n_items_:
            raise ValueError(f"{path.name} holds {table.num_rows} ids")
        self._set_ids(np.array(table.column("id").to_pylist(), dtype=object))
        self.fingerprint_ = (table.schema.metadata or {})[FINGERPRINT.encode()].decode()


def _numbered(n: int, first: int = 0) -> Catalog:
    """Items whose ids are their rows."""
    return Catalog.from_lists([""] * n, ids=[str(row) for row in range(first, first + n)], splits=[""] * n)


def _digests(items: Catalog, vectors: np.ndarray) -> list[int]:
    """A 64-bit digest of each item and its vector, float32 [n, d]."""
    digests = []
    for vector, *texts in zip(np.ascontiguousarray(vectors), items.item_class_names(), items.paths, items.splits):
        digest = hashlib.blake2b(vector.tobytes(), digest_size=8)
        for text in texts:
            digest.update(b"\0" + text.encode("utf-8", "surrogateescape"))
        digests.append(int.from_bytes(digest.digest(), "little", signed=True))
    return digests
