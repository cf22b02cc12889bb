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
    retriever_class: ClassVar[str]
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
        """An unfitted retriever for transformed gallery vectors, and entries for the provenance of the index.

        Args:
            vectors: float32 [n, d].
            directory: where the index will be saved.

        Raises:
            UserError: an invalid setting.
        """
        return load_class(self.retriever)(metric=self.metric, **self.retriever_params(directory)), {}

    def retriever_params(self, directory: Path | None = None) -> dict[str, Any]:
        """Parameters of the retriever besides the metric, without those that have their default value."""
        return {}

    @property
    def owns_storage(self) -> bool:
        """Whether vectors stored elsewhere belong to this index alone and may be replaced."""
        return False

    def effective(self, retriever: Retriever) -> IndexSettings:
        """The settings, with values filled in that were chosen for a fitted retriever."""
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

    @property
    def variant(self) -> str:
        """Type of the index within the library; "" for the exact default."""
        return ""

    def describe(self) -> str:
        """Short description, such as "FAISS HNSW32, PCA 0.95"."""
        pca = "" if self.pca is None else f"PCA {self.pca:g}"
        steps = ("standardized" if self.standardize else "", pca, "whitened" if self.whiten else "")
        return ", ".join(filter(None, [f"{self.title} {self.variant}".rstrip(), *steps]))


@dataclass(frozen=True)
class KNNSettings(IndexSettings):
    """Settings of exact search by scikit-learn."""

    retriever = "knn"
    retriever_class = "tfretrieval.retrieval.knn.KNNRetriever"
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
    retriever_class = "tfretrieval.retrieval.faiss.FaissRetriever"
    title = "FAISS"

    factory: str | None = None
    nprobe: int | None = None
    target_recall: float | None = None

    def __post_init__(self) -> None:
        if self.target_recall and (self.factory or self.nprobe):
            raise UserError("--target-recall sets --factory and --nprobe", "give one or the other")

    @property
    def variant(self) -> str:
        return "" if self.factory in (None, "Flat") else str(self.factory)

    def new_retriever(self, vectors: np.ndarray, directory: Path | None = None) -> tuple[Retriever, dict[str, Any]]:
        if not self.target_recall:
            return super().new_retriever(vectors, directory)
        from tfretrieval.retrieval.tuning import tune

        tuning = tune(vectors, self.target_recall, self.metric)
        params = {"factory": tuning.chosen.factory, "search": tuning.chosen.search or None}
        return load_class(self.retriever)(metric=self.metric, **params), {"tuning": asdict(tuning)}

    def retriever_params(self, directory: Path | None = None) -> dict[str, Any]:
        search = {"nprobe": self.nprobe} if self.nprobe else None
        return {"factory": self.factory or "Flat", "search": search}

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
    retriever_class = "tfretrieval.retrieval.milvus.retriever.MilvusRetriever"
    title = "Milvus"

    uri: str | None = None
    collection: str | None = None
    index_type: str | None = None
    index_params: Mapping[str, Any] | None = None
    search_params: Mapping[str, Any] | None = None
    token_env: str | None = None

    @property
    def variant(self) -> str:
        return "" if self.index_type in (None, "FLAT") else str(self.index_type)

    def retriever_params(self, directory: Path | None = None) -> dict[str, Any]:
        if self.uri is None and directory is None:
            raise UserError("--retriever milvus needs --uri here", "give a path that ends in .db or http://host:19530")
        names = ("collection", "index_type", "index_params", "search_params", "token_env")
        options = {name: getattr(self, name) for name in names if getattr(self, name)}
        return {"uri": self.uri or f"{directory}.db", **options}

    @property
    def owns_storage(self) -> bool:
        return self.uri is None

    def relocate(self, retriever: Retriever, directory: Path) -> None:
        if self.uri is None:
            retriever.set_params(uri=f"{directory}.db")


SETTINGS: dict[str, type[IndexSettings]] = {cls.retriever: cls for cls in (KNNSettings, FaissSettings, MilvusSettings)}


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


def load_class(retriever: str) -> type[Any]:
    """The class of a retriever type, imported on demand."""
    module, _, name = SETTINGS[retriever].retriever_class.rpartition(".")
    return getattr(importlib.import_module(module), name)


def load_retriever(directory: str | os.PathLike[str], mmap: bool = False) -> Retriever:
    """Read a retriever of any type, see `Retriever.load`."""
    name = RETRIEVER.read_header(directory).get("type")
    if name not in SETTINGS:
        raise RETRIEVER.corrupt(directory, f"there is no retriever type {name!r}")
    return load_class(name).load(directory, mmap)
