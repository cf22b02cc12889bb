"""`Index`: a transform and a retriever that were fitted together, and the gallery whose rows they know."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.atomic import read_json, replaced_directory, write_json
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval import load_retriever, make_retriever
from tfretrieval.retrieval.base import Retriever
from tfretrieval.transform import Transform

FORMAT = 1


@dataclass(frozen=True)
class IndexSettings:
    """How an index is built.

    Attributes:
        retriever: "knn" or "faiss".
        metric: "cosine" or "euclidean".
        pca: components to keep, a share of the variance, or None.
        standardize: scale each value to variance 1 first.
        whiten: give all components the same variance.
        factory: FAISS factory string; None is Flat.
        nprobe: lists of an IVF index to look into; None leaves the choice to the retriever.
        target_recall: the recall@10 by which factory and search parameters are chosen (`tune`); None for no choice.

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

    def __post_init__(self) -> None:
        if self.retriever != "faiss" and (self.factory or self.nprobe or self.target_recall):
            raise UserError("--factory, --nprobe and --target-recall belong to --retriever faiss")
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
        options: dict[str, Any] = {"metric": self.metric}
        if self.factory:
            options["factory"] = self.factory
        if self.nprobe:
            options["search"] = {"nprobe": self.nprobe}
        return transform, make_retriever(self.retriever, **options)


@dataclass(frozen=True)
class Index:
    """What answers queries: vectors of a query go through `transform`, then to `retriever`.

    Attributes:
        settings: how it was built.
        transform: fitted on the gallery.
        retriever: fitted on the transformed gallery; its rows are the gallery's.
        gallery: fingerprint of the embeddings that it was built from.
        made_from: free keys.
    """

    settings: IndexSettings
    transform: Transform
    retriever: Retriever
    gallery: str
    made_from: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def build(cls, gallery: Embeddings, settings: IndexSettings, made_from: Mapping[str, Any] | None = None) -> Index:
        """Fit transform and retriever on the gallery's vectors.

        With a target recall the retriever is chosen first, and `made_from["tuning"]` keeps what was tried.

        Raises:
            UserError: settings that do not fit the vectors.
        """
        transform, retriever = settings.unfitted()
        vectors = transform.fit_transform(gallery.vectors)
        kept = dict(made_from or {})
        if settings.target_recall:
            from tfretrieval.retrieval.tuning import tune

            tuned = tune(vectors, settings.target_recall, settings.metric)
            kept["tuning"] = tuned.to_json()
            retriever.set_params(factory=tuned.chosen.factory, search=tuned.chosen.search or None)
        retriever.fit(vectors)
        return cls(settings, transform, retriever, gallery.fingerprint, kept)

    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest gallery rows of query vectors [q, d]: distances float32 [q, k], rows int64 [q, k].

        Raises:
            UserError: k is larger than the gallery, or the vectors are of another size.
        """
        return self.retriever.kneighbors(self.transform.transform(vectors), k)

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write `index.json`, `transform/` and `retriever/`, all or none."""
        with replaced_directory(directory, "index.json") as temporary:
            self.transform.save(temporary / "transform")
            self.retriever.save(temporary / "retriever")
            header = {
                "format": FORMAT,
                "settings": asdict(self.settings),
                "gallery": self.gallery,
                "made_from": dict(self.made_from),
            }
            write_json(temporary / "index.json", header)

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> Index:
        """Read an index.

        Raises:
            UserError: there is none, or it is damaged.
        """
        directory = Path(directory)
        header = read_json(directory / "index.json")
        try:
            if header["format"] != FORMAT:
                raise UserError(
                    f"{directory} is of format {header['format']}, not {FORMAT}; make it anew with `tfret index`"
                )
            settings = IndexSettings(**header["settings"])
            gallery, made_from = header["gallery"], header["made_from"]
        except (KeyError, TypeError) as error:
            raise UserError(
                f"{directory / 'index.json'} is damaged ({error}); make it anew with `tfret index`"
            ) from None
        transform = Transform.load(directory / "transform")
        return cls(settings, transform, load_retriever(directory / "retriever"), gallery, made_from)
