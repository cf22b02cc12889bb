"""`IndexSettings`: how an index is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tfretrieval.errors import UserError
from tfretrieval.retrieval import make_retriever
from tfretrieval.retrieval.base import Retriever
from tfretrieval.retrieval.transform import Transform

OPTIONS = {
    "faiss": ("factory", "nprobe", "target_recall"),
    "milvus": ("uri", "collection", "index_type", "index_params", "search_params", "token_env"),
}


@dataclass(frozen=True)
class IndexSettings:
    """How an index is built.

    Attributes:
        retriever: "knn", "faiss" or "milvus".
        metric: "cosine" or "euclidean".
        pca: components to keep, a share of the variance, or None.
        standardize: scale each value to variance 1 first.
        whiten: give all components the same variance.
        factory: FAISS factory string; None is Flat.
        nprobe: lists of an IVF index to look into; None leaves the choice to the retriever.
        target_recall: the recall@10 by which factory and search parameters are chosen (`tune`); None for no choice.
        uri: where Milvus is: a path that ends in .db or an address; None for a database beside the index.
        collection: of Milvus; None is "tfretrieval".
        index_type: of Milvus; None is FLAT.
        index_params: of Milvus, such as {"M": 16}.
        search_params: of Milvus, such as {"ef": 128}.
        token_env: the environment variable that holds the token of Milvus.

    Raises:
        UserError: settings that do not go together.
    """

    retriever: str = "knn"
    metric: str = "cosine"
    pca: int | float | None = None
    standardize: bool = False
    whiten: bool = False
    factory: str | None = None
    nprobe: int | None = None
    target_recall: float | None = None
    uri: str | None = None
    collection: str | None = None
    index_type: str | None = None
    index_params: Mapping[str, Any] | None = None
    search_params: Mapping[str, Any] | None = None
    token_env: str | None = None

    def __post_init__(self) -> None:
        for kind, names in OPTIONS.items():
            for name in names:
                if kind != self.retriever and getattr(self, name):
                    raise UserError(f"--{name.replace('_', '-')} belongs to --retriever {kind}")
        if self.target_recall and (self.factory or self.nprobe):
            raise UserError("--target-recall chooses what --factory and --nprobe set: give the one or the others")

    def unfitted(self) -> tuple[Transform, Retriever]:
        """A new transform and retriever. Before PCA, vectors compared by cosine are put on the unit sphere."""
        reduced = self.pca is not None or self.whiten
        transform = Transform(
            normalize=self.metric == "cosine" and reduced,
            standardize=self.standardize,
            pca=self.pca,
            whiten=self.whiten,
            renormalize=self.metric == "cosine" and reduced,
        )
        given = {name: getattr(self, name) for name in OPTIONS.get(self.retriever, ())}
        options = {name: value for name, value in given.items() if value and name not in ("nprobe", "target_recall")}
        if self.nprobe:
            options["search"] = {"nprobe": self.nprobe}
        return transform, make_retriever(self.retriever, metric=self.metric, **options)
