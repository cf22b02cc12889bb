"""The kind `milvus`: a collection of a Milvus database, in this process or on a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfretrieval.errors import UserError
from tfretrieval.retrieval.base import Retriever
from tfretrieval.retrieval.blocks import blocks
from tfretrieval.retrieval.items import Items
from tfretrieval.retrieval.milvus.collection import MADE_BY, MilvusCollection, where
from tfretrieval.retrieval.order import in_order

INDEX_TYPES = ("FLAT", "HNSW", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "SCANN", "DISKANN", "AUTOINDEX")
WITH_LISTS = ("IVF_FLAT", "IVF_SQ8", "IVF_PQ", "SCANN")
METRIC_TYPES = {"euclidean": "L2", "cosine": "IP"}  # of unit vectors the inner product is the cosine
HITS_A_REQUEST = 1 << 15
LITE_BYTES_A_REQUEST = 1 << 29
LEAST_EF, MOST_EF = 64, 32_768
LEAST_NPROBE = 8
FILTERED_EF = 16  # a graph is walked through items that the filter rejects as well


class MilvusRetriever(Retriever):
    """Neighbors by a Milvus database, which keeps the vectors with the ids, paths, classes and splits.

    `fit` brings the collection to the state of the gallery: it inserts what is missing, replaces what has changed and
    deletes what is gone, so that an interrupted `fit` goes on when it is repeated. A collection remembers what made its
    vectors and refuses others.

    Args:
        uri: a path that ends in .db for Milvus Lite, in this process, or http(s)://host:port of a server.
        collection: its name.
        index_type: "FLAT" is exact; "HNSW", "IVF_FLAT" and others are approximate.
        index_params: of the index, such as {"M": 16, "efConstruction": 200} or {"nlist": 256}.
        search_params: of searches, such as {"ef": 128} or {"nprobe": 16}.
        token_env: the environment variable that holds the token of a server.
        metric: "euclidean" or "cosine".
    """

    kind = "milvus"
    data_file = "ids.parquet"
    most_neighbors = 16_383  # Milvus allows 16,384 a query, of which one may be the query itself

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

    def is_there(self) -> bool:
        self._check_fitted()
        self._collection = self._connected()
        found = self._collection.describe()
        if found is None or (found["made_by"], found["dim"]) != (self.made_by_, self.n_features_in_):
            return False
        self._collection.load()
        return self._collection.count() == self.n_items_

    def _search_where(
        self, queries: np.ndarray, k: int, rows: np.ndarray, classes: Sequence[str], splits: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        return in_order(*self._asked(queries, k, where(classes, splits), share=len(rows) / self.n_items_))

    def _build(self, vectors: np.ndarray, items: Items | None) -> None:
        if self.index_type not in INDEX_TYPES:
            raise UserError(f"{self.index_type!r} is not an index of Milvus; choose from {', '.join(INDEX_TYPES)}")
        items = Items.numbered(len(vectors)) if items is None else items
        self.__dict__.pop("_row_of", None)
        collection = self._connected()
        found = collection.describe()
        wanted = {"made_by": items.made_by, "dim": vectors.shape[1], "metric_type": METRIC_TYPES[self.metric]}
        if found is not None and any(found[name] not in (value, None) for name, value in wanted.items()):
            if not self.replaces:
                raise UserError(
                    f"the collection {self.collection} at {self.uri} holds vectors of another model, transform or "
                    "metric; give another --collection, or fill this one anew with `tfret index --replace`"
                )
            collection.drop()
            found = None
        if found is None:
            collection.create(vectors.shape[1], items.made_by)
        if found is None or found["index_type"] != self.index_type:
            params = {**_default_params(self.index_type, *vectors.shape), **(self.index_params or {})}
            collection.make_index(METRIC_TYPES[self.metric], self.index_type, params)
        else:
            collection.load()
        self._bring_up_to_date(collection, vectors, items)
        self.ids_, self.made_by_, self._collection = items.ids, items.made_by, collection

    def _bring_up_to_date(self, collection: MilvusCollection, vectors: np.ndarray, items: Items) -> None:
        there, digests = collection.digests(), items.digests(vectors)
        stale = np.flatnonzero([there.get(name) != digest for name, digest in zip(items.ids, digests)])
        gone = sorted(there.keys() - set(items.ids))
        if len(stale):
            collection.put(items.taken(stale), vectors[stale], [digests[row] for row in stale])
        if gone:
            collection.delete(gone)
        if len(stale) or gone:
            collection.flush()
        if (n := collection.count()) != len(items):
            raise UserError(
                f"the collection {self.collection} at {self.uri} holds {n} items after {len(items)} were put into it; "
                "somebody else writes to it"
            )

    def _append(self, vectors: np.ndarray, items: Items | None) -> None:
        items = Items.numbered(len(vectors), self.n_items_) if items is None else items
        self._open.put(items, vectors, items.digests(vectors))
        self._open.flush()
        self.ids_ = np.concatenate([self.ids_, items.ids])
        self.__dict__.pop("_row_of", None)

    def _keep(self, kept: np.ndarray) -> None:
        self._open.delete([str(name) for name in self.ids_[~kept]])
        self._open.flush()
        self.ids_ = self.ids_[kept]
        self.__dict__.pop("_row_of", None)

    def _search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        return self._asked(queries, k, "")

    def _asked(self, queries: np.ndarray, k: int, filter: str, share: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """Distances and rows of the nearest of those items, a share of all, that a filter lets through."""
        if k > self.most_neighbors + 1:
            raise UserError(f"Milvus returns at most {self.most_neighbors + 1} neighbors of a query, not {k}")
        params = dict(self.search_params or {})
        if self.index_type in WITH_LISTS:
            nlist = (self.index_params or {}).get("nlist", _n_lists(self.n_items_))
            params.setdefault("nprobe", min(nlist, max(LEAST_NPROBE, nlist // 16)))
        if self.index_type == "HNSW":
            usual = max(LEAST_EF, 2 * k) if share == 1 else int(FILTERED_EF * k / share)
            params["ef"] = max(k, params.get("ef", min(usual, self.n_items_, MOST_EF)))
        scores = np.full((len(queries), k), np.inf, np.float32)
        rows = np.full((len(queries), k), -1, np.int64)
        for block in blocks(len(queries), self._queries_a_request(k)):
            for query, (ids, its) in enumerate(self._open.search(queries[block], k, params, filter), block.start):
                rows[query, : len(ids)] = [self._row(name) for name in ids]
                scores[query, : len(ids)] = its
        found = rows >= 0
        near = np.maximum(1 - scores, 0) if self.metric == "cosine" else np.sqrt(np.maximum(scores, 0))
        return np.where(found, near, np.float32(np.inf)), rows

    def _queries_a_request(self, k: int) -> int:
        most = HITS_A_REQUEST // k
        if "://" not in self.uri:  # Milvus Lite holds every difference of a request at once, in double precision
            most = min(most, LITE_BYTES_A_REQUEST // (8 * self.n_items_ * self.n_features_in_))
        return max(1, most)

    def _row(self, name: str) -> int:
        try:
            return self._row_of[name]
        except KeyError:
            raise UserError(
                f"the collection {self.collection} at {self.uri} holds the item {name!r}, which this index does not "
                "know; bring it up to date with `tfret index`"
            ) from None

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.ids_)}

    @property
    def _open(self) -> MilvusCollection:
        """The collection, after a look whether it is still what was fitted."""
        if "_collection" not in self.__dict__ and not self.is_there():
            del self._collection
            raise UserError(
                f"the collection {self.collection} at {self.uri} is not what this index was built from any more; "
                "bring it up to date with `tfret index`"
            )
        return self._collection

    def _connected(self) -> MilvusCollection:
        return MilvusCollection(self.uri, self.collection, self.token_env)

    def _stored_vectors(self) -> None:
        return None

    def _write(self, path: Path) -> None:
        ids = pa.table({"id": pa.array([str(name) for name in self.ids_], pa.string())})
        pq.write_table(ids.replace_schema_metadata({MADE_BY: self.made_by_}), path)

    def _read(self, path: Path, mmap: bool) -> None:
        table = pq.ParquetFile(path).read()
        if table.num_rows != self.n_items_:
            raise ValueError(f"{path.name} holds {table.num_rows} ids")
        self.ids_ = np.array(table.column("id").to_pylist(), dtype=object)
        self.made_by_ = (table.schema.metadata or {})[MADE_BY.encode()].decode()


def _default_params(index_type: str, n: int, dim: int) -> dict[str, Any]:
    """Of an index over n vectors; older servers have no defaults of their own."""
    if index_type == "HNSW":
        return {"M": 16, "efConstruction": 200}
    if index_type not in WITH_LISTS:
        return {}
    params = {"nlist": _n_lists(n)}
    if index_type == "IVF_PQ":
        params |= {"m": next(m for m in range(max(1, dim // 4), 0, -1) if dim % m == 0), "nbits": 8}
    return params


def _n_lists(n: int) -> int:
    return max(1, min(65_536, int(4 * n**0.5)))
