"""Response models of the HTTP API, as described by its OpenAPI document."""

import math
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from tfretrieval.serve.background import State
from tfretrieval.serve.limits import Limits

# "" stands for a missing name in the library, and infinity for a missing distance; the API has null
Name = Annotated[str | None, BeforeValidator(lambda name: name or None)]
Distance = Annotated[float | None, BeforeValidator(lambda distance: distance if math.isfinite(distance) else None)]


class Error(BaseModel):
    """Why a request was rejected, in one line."""

    error: str


class Health(BaseModel):
    """Whether the server is up, or ready."""

    status: Literal["ok", "starting"]


class CollectionInfo(BaseModel):
    """The gallery and the available retrievers, re-rankers and maps."""

    name: str
    n_gallery: int
    n_queries: int
    dim: int
    class_names: list[str]
    class_counts: list[int] = Field(description="Gallery items of each class.")
    retrievers: dict[str, str] = Field(description="Retriever type -> description of its index.")
    rerankers: list[str]
    evaluated: list[str] = Field(description="Retriever types with an evaluation.")
    maps: list[str]
    limits: Limits
    facts: dict[str, str]


class Items(BaseModel):
    """The gallery, one list per column."""

    ids: list[str]
    labels: list[int] = Field(description="Index into `class_names`; -1 if the class is unknown.")
    splits: list[str]


class Item(BaseModel):
    """An item of the gallery or the queries."""

    id: str
    label: Name
    split: str
    in_gallery: bool


class Hit(BaseModel):
    """A neighbor of the query."""

    rank: int
    id: str
    label: Name
    split: str
    distance: float
    row: int = Field(description="Gallery row.")


class SearchResult(BaseModel):
    """Hits of one retriever and re-ranker."""

    retriever: str
    reranker: str
    metric: str
    search_ms: float
    vote: Name = Field(description="Majority class of the hits; null if the search was limited to classes.")
    hits: list[Hit]


class SearchResponse(BaseModel):
    """Results of a search, one per retriever and re-ranker."""

    id: str | None = Field(description="Id of the query; null for an upload.")
    label: Name
    embedding_ms: float
    results: list[SearchResult]
    positions: dict[str, list[float]] = Field(description="Map -> x and y of the query, for maps that are ready.")


class MapState(BaseModel):
    """State of a map."""

    method: str
    state: State
    n: int = Field(description="Number of points; 0 until the map is ready.")
    error: str = Field(description="Why the map failed; empty otherwise.")


class Example(BaseModel):
    """An image of the suggested class that is similar to an image with a label issue."""

    id: str
    label: Name
    cosine: float


class LabelIssue(BaseModel):
    """An item whose label is probably wrong."""

    id: str
    label: str
    suggested_label: str
    score: float = Field(description="Margin of the suggested class over the given one, at most 1.")
    neighbors: list[Example]


class DuplicateGroup(BaseModel):
    """Items that show the same image."""

    kind: Literal["duplicate", "near duplicate"]
    items: list[Item]
    labels_differ: bool
    splits_differ: bool


class AuditState(BaseModel):
    """State and result of the audit."""

    state: State
    error: str = Field(description="Why the audit failed; empty otherwise.")
    n_label_issues: int = Field(description="Number of label issues; those with the highest scores are listed.")
    label_issues: list[LabelIssue]
    duplicates: list[DuplicateGroup]


class EvaluationResult(BaseModel):
    """Evaluation of a retriever."""

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


class EvaluatedQuery(BaseModel):
    """A query of the evaluation with its nearest neighbor."""

    id: str
    label: str = Field(validation_alias="class")
    nearest_id: Name
    nearest_label: Name = Field(validation_alias="nearest_class")
    nearest_distance: Distance
    average_precision: float


class EvaluatedQueries(BaseModel):
    """Some queries of the evaluation."""

    total: int
    queries: list[EvaluatedQuery]


class ConfusedPair(BaseModel):
    """Two classes, and how often the nearest neighbor of a query of the first has the second."""

    label: str
    nearest_label: str
    count: int
    share: float = Field(description="Share of the queries of `label`.")


class ConfusedPairs(BaseModel):
    """The most frequently confused pairs of classes."""

    pairs: list[ConfusedPair]
