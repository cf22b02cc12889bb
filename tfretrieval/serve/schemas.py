"""The shapes of what the server answers, which its OpenAPI document shows."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """Why a request was refused, in one line."""

    error: str


class Health(BaseModel):
    """Whether the server is up, or ready."""

    status: Literal["ok", "starting"]


class LimitsAnswer(BaseModel):
    """What is refused."""

    upload_bytes: int
    pixels: int
    in_flight: int
    neighbors: int


class CollectionAnswer(BaseModel):
    """What can be searched, and how."""

    name: str
    n_gallery: int
    n_queries: int
    dim: int
    class_names: list[str]
    class_counts: list[int] = Field(description="Gallery items of each class.")
    retrievers: dict[str, str] = Field(description="Kind of retriever -> how it is built.")
    rerankers: list[str]
    evaluated: list[str] = Field(description="The retrievers that have been measured.")
    maps: list[str]
    accepts_uploads: bool
    audits: bool
    limits: LimitsAnswer
    facts: dict[str, str]


class ItemsAnswer(BaseModel):
    """The gallery, column by column, row by row."""

    ids: list[str]
    labels: list[int] = Field(description="Places in `class_names`; -1 where the class is not known.")
    splits: list[str]


class ItemAnswer(BaseModel):
    """An item of the gallery or of the queries."""

    id: str
    label: str | None
    split: str
    in_gallery: bool


class Neighbor(BaseModel):
    """What a search found at a rank."""

    rank: int
    id: str
    label: str | None
    split: str
    distance: float
    row: int = Field(description="Of the gallery.")


class Answer(BaseModel):
    """What one way of searching found."""

    retriever: str
    reranker: str
    metric: str
    milliseconds: float
    vote: str | None = Field(description="The class that most of the neighbors have; not where classes were asked for.")
    neighbors: list[Neighbor]


class SearchAnswer(BaseModel):
    """What was found for an image, one answer a way of searching."""

    id: str | None = Field(description="Of the item that asked; null for an upload.")
    label: str | None
    embedding_milliseconds: float
    answers: list[Answer]
    places: dict[str, list[float]] = Field(description="Map -> x and y of the query, of the maps that are ready.")


class MapAnswer(BaseModel):
    """A map, or how far it is."""

    method: str
    state: Literal["working", "ready", "failed"]
    n: int = Field(description="Points; 0 while it is not ready.")
    reason: str = Field(description="Why it failed; else empty.")


class LikeIt(BaseModel):
    """An image of the suggested class that is like a suspect."""

    id: str
    label: str | None
    cosine: float


class Suspect(BaseModel):
    """An item whose label is doubtful."""

    id: str
    label: str
    suggested: str
    score: float = Field(description="By how much the suggested class exceeds the own one, at most 1.")
    neighbors: list[LikeIt]


class Twins(BaseModel):
    """Items that show the same."""

    kind: Literal["same file", "near duplicate"]
    items: list[ItemAnswer]
    labels_differ: bool
    splits_differ: bool


class AuditAnswer(BaseModel):
    """What is probably wrong with the images, or how far the audit is."""

    state: Literal["working", "ready", "failed"]
    reason: str = Field(description="Why it failed; else empty.")
    n_suspects: int = Field(description="How many labels are doubtful; the worst of them are listed.")
    suspects: list[Suspect]
    twins: list[Twins]


class EvaluationAnswer(BaseModel):
    """What was measured of a retriever."""

    retriever: str
    n_queries: int
    n_gallery: int
    n_skipped: int
    dim: int
    depth: int
    chance_precision: float
    metrics: dict[str, float]
    macro: dict[str, float]
    intervals: dict[str, list[float]]
    per_class: dict[str, dict[str, float]]
    confusion: list[list[int]]
    class_names: list[str]
    seconds: dict[str, float]
    curves: dict[str, list[list[float]]] = Field(description="Class -> points [recall, precision].")


class AskedQuery(BaseModel):
    """A query of the evaluation with what came nearest."""

    id: str
    label: str
    nearest_id: str | None
    nearest_label: str | None
    nearest_distance: float | None
    average_precision: float


class QueriesAnswer(BaseModel):
    """Some queries of the evaluation."""

    total: int
    queries: list[AskedQuery]


class ConfusedPair(BaseModel):
    """Two classes, and how often the nearest neighbor of a query of the one is of the other."""

    label: str
    nearest_label: str
    count: int
    share: float = Field(description="Of the queries of `label`.")


class PairsAnswer(BaseModel):
    """The pairs of classes that are confused, the most frequent first."""

    pairs: list[ConfusedPair]
