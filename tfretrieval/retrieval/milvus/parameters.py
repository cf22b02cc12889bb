"""Index types of Milvus, and the parameters of an index and of a search that are not given."""

from collections.abc import Mapping
from typing import Any

INDEX_TYPES = ("FLAT", "HNSW", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "SCANN", "DISKANN", "AUTOINDEX")
INVERTED_LISTS = ("IVF_FLAT", "IVF_SQ8", "IVF_PQ", "SCANN")
MIN_EF, MAX_EF = 64, 32_768
MIN_NPROBE = 8
FILTERED_EF = 16  # a graph search also visits items that the filter rejects


def with_index_defaults(params: Mapping[str, Any] | None, index_type: str, n: int, dim: int) -> dict[str, Any]:
    """Parameters of an index over n vectors; older servers have no defaults of their own.

    >>> with_index_defaults({"M": 32}, "HNSW", n=1000, dim=128)
    {'M': 32, 'efConstruction': 200}
    """
    defaults: dict[str, Any] = {}
    if index_type == "HNSW":
        defaults = {"M": 16, "efConstruction": 200}
    if index_type in INVERTED_LISTS:
        defaults = {"nlist": max(1, min(65_536, int(4 * n**0.5)))}
    if index_type == "IVF_PQ":
        defaults |= {"m": next(m for m in range(max(1, dim // 4), 0, -1) if dim % m == 0), "nbits": 8}
    return {**defaults, **(params or {})}


def with_search_defaults(
    params: Mapping[str, Any] | None, index_type: str, k: int, n_items: int, n_matching: int, nlist: int | None
) -> dict[str, Any]:
    """Parameters of a search for k of the n_matching items that a filter selects from n_items.

    >>> with_search_defaults(None, "IVF_FLAT", k=10, n_items=1000, n_matching=1000, nlist=256)
    {'nprobe': 16}
    """
    params = dict(params or {})
    if nlist is not None:
        params.setdefault("nprobe", min(nlist, max(MIN_NPROBE, nlist // 16)))
    if index_type == "HNSW":
        filtered = FILTERED_EF * k * n_items // n_matching
        default = max(MIN_EF, 2 * k) if n_matching == n_items else filtered
        params["ef"] = max(k, params.get("ef", min(default, n_items, MAX_EF)))
    return params
