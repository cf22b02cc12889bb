"""Settings of an index, one class per retriever type, and the registry of the types."""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tfretrieval.errors import UserError
from tfretrieval.retrieval.base import RETRIEVER, Retriever
from tfretrieval.retrieval.transform import Transform

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class IndexSettings:
    """Settings that all retriever types share.

    Attributes:
        metric: "cosine" or "euclidean".
        pca: number of components, a fraction of the variance between 0 and 1, or None for no PCA.
        standardize: scale every dimension to variance 1 before PCA.
        whiten: scale every component to variance 1.
    """

    retriever: ClassVar[str]
    title: ClassVar[str]

    metric: str = "cosine"
    pca: int | float | None = None
    standardize: bool = False
    whiten: bool = False

    def new_transform(self) -> Transform:
        """An unfitted transform. For the cosine metric, vectors are L2-normalized before and after PCA."""
        normalize = self.metric == "cosine" and (self.pca is not None or self.whiten)
        return Transform(normalize, self.standardize, self.pca, self.whiten, renormalize=normalize)

    def new_retriever(self, vectors: np.ndarray, directory: Path | None = None) -> tuple[Retriever, dict[str, Any]]:
        """An unfitted retriever for transformed gallery vectors, and what is to be recorded about its choice.

        Args:
            vectors: float32 [n, d].
            directory: where the index will be saved.

        Raises:
            UserError: an invalid setting.
        """
        return retriever_class(self.retriever)(metric=self.metric), {}

    @property
    def owns_storage(self) -> bool:
        """Whether vectors stored elsewhere belong to this index alone and may be replaced."""
        return False

    def effective(self, retriever: Retriever) -> IndexSettings:
        """The settings with what was chosen for a fitted retriever filled in."""
        return self

    def relocate(self, retriever: Retriever, directory: Path) -> None:
        """Adapt a loaded retriever to the directory that the index was loaded from."""

    def replace(self, **changes: Any) -> IndexSettings:
        """Settings with changes.

        Raises:
            UserError: this retriever type has no such setting, or the settings contradict each other.
        """
        check_names(self.retriever, changes)
        return dataclasses.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Plain values, the inverse of `settings_for`."""
        return {"retriever": self.retriever, **asdict(self)}

    def describe(self) -> str:
        """The index in words, such as "FAISS HNSW32, PCA 0.95"."""
        return self.title if self.pca is None else f"{self.title}, PCA {self.pca:g}"


@dataclass(frozen=True)
class KNNSettings(IndexSettings):
    """Settings of exact search by scikit-learn."""

    retriever = "knn"
    title = "KNN"


@dataclass(frozen=True)
class FaissSettings(IndexSettings):
    """Settings of a FAISS index.

    Attributes:
        factory: factory string; None is "Flat".
        nprobe: number of inverted lists to probe; None for the default of `FaissRetriever`.
        target_recall: choose factory and search parameters by this recall@10 (`tune`); None for no choice.
    """

    retriever = "faiss"
    title = "FAISS"

    factory: str | None = None
    nprobe: int | None = None
    target_recall: float | None = None

    def __post_init__(self) -> None:
        if self.target_recall and (self.factory or self.nprobe):
            raise UserError("--target-recall sets --factory and --nprobe", "give one or the other")

    def new_retriever(self, vectors: np.ndarray, directory: Path | None = None) -> tuple[Retriever, dict[str, Any]]:
        from tfretrieval.retrieval.faiss import FaissRetriever

        search = {"nprobe": self.nprobe} if self.nprobe else None
        if not self.target_recall:
            return FaissRetriever(self.factory or "Flat", self.metric, search), {}
        from tfretrieval.retrieval.tuning import tune

        tuning = tune(vectors, self.target_recall, self.metric)
        chosen = FaissRetriever(tuning.chosen.factory, self.metric, tuning.chosen.search or None)
        return chosen, {"tuning": tuning.to_json()}

    def effective(self, retriever: Retriever) -> IndexSettings:
        params = retriever.get_params()
        nprobe = (params["search"] or {}).get("nprobe")
        return dataclasses.replace(self, factory=params["factory"], nprobe=nprobe, target_recall=None)

    def replace(self, **changes: Any) -> IndexSettings:
        if changes.get("target_recall"):
            changes = {"factory": None, "nprobe": None, **changes}
        elif changes.keys() & {"factory", "nprobe"}:
            changes = {"target_recall": None, **changes}
        return super().replace(**changes)

    def describe(self) -> str:
        words = super().describe()
        return words if self.factory in (None, "Flat") else words.replace(self.title, f"{self.title} {self.factory}", 1)


@dataclass(frozen=True)
class MilvusSettings(IndexSettings):
    """Settings of a Milvus collection.

    Attributes:
        uri: a path that ends in .db, for Milvus Lite, or the address of a server; None for a file beside the index.
        collection: name of the collection; None is "tfretrieval".
        index_type: index type of Milvus; None is "FLAT".
        index_params: parameters of the index, such as {"M": 16}.
        search_params: parameters of searches, such as {"ef": 128}.
        token_env: environment variable with the token of the server.
    """

    retriever = "milvus"
    title = "Milvus"

    uri: str | None = None
    collection: str | None = None
    index_type: str | None = None
    index_params: Mapping[str, Any] | None = None
    search_params: Mapping[str, Any] | None = None
    token_env: str | None = None

    def new_retriever(self, vectors: np.ndarray, directory: Path | None = None) -> tuple[Retriever, dict[str, Any]]:
        if self.uri is None and directory is None:
            raise UserError("--retriever milvus needs --uri here", "give a path that ends in .db or http://host:19530")
        names = ("collection", "index_type", "index_params", "search_params", "token_env")
        options = {name: getattr(self, name) for name in names if getattr(self, name)}
        uri = self.uri or f"{directory}.db"
        return retriever_class("milvus")(uri=uri, metric=self.metric, **options), {}

    @property
    def owns_storage(self) -> bool:
        return self.uri is None

    def relocate(self, retriever: Retriever, directory: Path) -> None:
        if self.uri is None:
            retriever.set_params(uri=f"{directory}.db")

    def describe(self) -> str:
        words = super().describe()
        index_type = self.index_type or "FLAT"
        return words if index_type == "FLAT" else words.replace(self.title, f"{self.title} {index_type}", 1)


SETTINGS: dict[str, type[IndexSettings]] = {cls.retriever: cls for cls in (KNNSettings, FaissSettings, MilvusSettings)}
RETRIEVERS = {
    "knn": "tfretrieval.retrieval.knn.KNNRetriever",
    "faiss": "tfretrieval.retrieval.faiss.FaissRetriever",
    "milvus": "tfretrieval.retrieval.milvus.retriever.MilvusRetriever",
}


def settings_for(retriever: str, **values: Any) -> IndexSettings:
    """Settings of an index.

    Args:
        retriever: "knn", "faiss" or "milvus".
        values: fields of the settings class of that type.

    Raises:
        UserError: there is no such type, it has no such setting, or the settings contradict each other.

    >>> settings_for("faiss", pca=0.95).describe()
    'FAISS, PCA 0.95'
    """
    check_names(retriever, values)
    return SETTINGS[retriever](**values)


def check_names(retriever: str, values: Mapping[str, Any]) -> None:
    """Check that a retriever type exists and has these settings.

    Raises:
        UserError: it does not.
    """
    if retriever not in SETTINGS:
        raise UserError(f"there is no retriever {retriever!r}", f"choose from {', '.join(SETTINGS)}")
    known = {field.name for field in fields(SETTINGS[retriever])}
    for name in values:
        if name not in known:
            owner = next((other for other, cls in SETTINGS.items() if name in {f.name for f in fields(cls)}), None)
            remedy = f"it belongs to --retriever {owner}" if owner else f"choose from {', '.join(sorted(known))}"
            raise UserError(f"the retriever {retriever} has no option --{name.replace('_', '-')}", remedy)


def retriever_class(retriever: str) -> type[Any]:
    """The class of a retriever type, imported on demand."""
    module, _, name = RETRIEVERS[retriever].rpartition(".")
    return getattr(importlib.import_module(module), name)


def load_retriever(directory: str | os.PathLike[str], mmap: bool = False) -> Retriever:
    """Read a retriever of any type, see `Retriever.load`."""
    name = RETRIEVER.read_header(directory).get("type")
    if name not in RETRIEVERS:
        raise RETRIEVER.corrupt(directory, f"there is no retriever type {name!r}")
    return retriever_class(name).load(directory, mmap)
