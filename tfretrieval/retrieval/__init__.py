"""Nearest neighbors: `Retriever`, its kinds `knn`, `faiss` and `milvus`, and the recall of an index."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfretrieval.atomic import read_json
from tfretrieval.errors import UserError

if TYPE_CHECKING:
    from tfretrieval.retrieval.base import Retriever
    from tfretrieval.retrieval.faiss import FaissRetriever
    from tfretrieval.retrieval.knn import KNNRetriever
    from tfretrieval.retrieval.milvus.retriever import MilvusRetriever

__all__ = [
    "KINDS",
    "TITLES",
    "FaissRetriever",
    "KNNRetriever",
    "MilvusRetriever",
    "Retriever",
    "in_words",
    "load_retriever",
    "make_retriever",
]

KINDS = {"knn": "KNNRetriever", "faiss": "FaissRetriever", "milvus": "MilvusRetriever"}
TITLES = {"knn": "KNN", "faiss": "FAISS", "milvus": "Milvus"}  # as people write them
_HOMES = {"Retriever": "base", "KNNRetriever": "knn", "FaissRetriever": "faiss", "MilvusRetriever": "milvus.retriever"}


def in_words(kind: str, how: Mapping[str, Any]) -> str:
    """An index as people write it: its retriever, and factory, index type and PCA as `Index.how` tells them.

    >>> in_words("faiss", {"factory": "HNSW32", "pca": 0.95})
    'FAISS, HNSW32, PCA 0.95'
    """
    index = how.get("factory") or how.get("index_type")
    pca = None if how.get("pca") is None else f"PCA {how['pca']:g}"
    return ", ".join(part for part in (TITLES[kind], index, pca) if part)


def make_retriever(kind: str, **options: Any) -> Retriever:
    """An unfitted retriever of a kind, "knn", "faiss" or "milvus", with the options of its class.

    Raises:
        UserError: the kind or an option is not known.

    >>> make_retriever("knn", metric="cosine")
    KNNRetriever(metric='cosine')
    """
    retriever = _class_of(kind)
    known = list(retriever().get_params())
    for name in options:
        if name not in known:
            raise UserError(f"the retriever {kind} has no option {name!r}; it has {', '.join(known)}")
    return retriever(**options)


def load_retriever(directory: str | os.PathLike[str], mmap: bool = False) -> Retriever:
    """The retriever that was saved in the folder, of whichever kind; `mmap` as in `Retriever.load`.

    Raises:
        UserError: there is none, it is damaged, or it was written by another version.
    """
    header = read_json(Path(directory) / "retriever.json", "rebuild it with `tfret index`")
    if header.get("kind") not in KINDS:
        header_path = Path(directory) / "retriever.json"
        raise UserError(f"{header_path} is damaged: it names no kind of retriever; rebuild it with `tfret index`")
    return _class_of(header["kind"]).load(directory, mmap)


def _class_of(kind: str) -> type[Retriever]:
    if kind not in KINDS:
        raise UserError(f"{kind!r} is not a kind of retriever; choose from {', '.join(KINDS)}")
    return __getattr__(KINDS[kind])


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
