"""Queries with what was found for them, chosen at random or because they are the hardest."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.data.read_image import BrokenImageError, read_image
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.report import ImageRow, ReportImage
from tfretrieval.retrieval.index import Index
from tfretrieval.visualize.neighbors import NeighborPanel
from tfretrieval.visualize.projection import subsample
from tfretrieval.workflows.evaluate import Evaluated
from tfretrieval.workflows.query import label_of

NEIGHBORS = 5
THUMBNAIL = 192
ON_A_PAGE = 128


@dataclass(frozen=True)
class Answer:
    """A query and its neighbors, the nearest first.

    Attributes:
        id: of the query.
        path: of its image.
        label: its class, "" where that is not known.
        ids: of the neighbors.
        paths: of their images.
        labels: their classes.
        distances: from the query.
        average_precision: of the query's whole ranking; None where nobody measured it.
    """

    id: str
    path: str
    label: str
    ids: Sequence[str]
    paths: Sequence[str]
    labels: Sequence[str]
    distances: Sequence[float]
    average_precision: float | None = None

    @property
    def note(self) -> str:
        """What is said of the query beside its class."""
        return "" if self.average_precision is None else f"AP {self.average_precision:.3f}"


def random_answers(
    index: Index, items: Embeddings, gallery: Embeddings, k: int | None, n_queries: int, seed: int
) -> list[Answer]:
    """The neighbors of random items, each without itself.

    Args:
        index: over the gallery.
        items: who may ask.
        gallery: who is searched.
        k: neighbors of each; None: 5, or all of a smaller gallery.
        n_queries: how many ask, or all of fewer items.
        seed: of the draw.

    Raises:
        UserError: k is more than the gallery has.
    """
    return answers(index, items.subset(subsample(len(items), n_queries, seed)), gallery, k)


def hardest_answers(result: Evaluated, k: int | None, n_queries: int) -> list[Answer]:
    """The neighbors of the queries of the lowest average precision, the lowest first; of equals as they come.

    Raises:
        UserError: k is more than the gallery has.
    """
    precision = result.evaluation.per_query["average_precision"]
    order = np.argsort(precision, kind="stable")[:n_queries]
    row_of = {name: row for row, name in enumerate(result.queries.ids)}
    rows = np.array([row_of[name] for name in result.evaluation.per_query["id"][order]], np.int64)
    found = answers(result.index, result.queries.subset(rows), result.gallery, k)
    return [replace(answer, average_precision=float(value)) for answer, value in zip(found, precision[order])]


def answers(index: Index, asking: Embeddings, gallery: Embeddings, k: int | None) -> list[Answer]:
    """The k nearest of each item, without itself.

    Raises:
        UserError: k is more than the gallery has.
    """
    most = len(gallery) - 1
    if k is not None and k > most:
        raise UserError(f"cannot draw {k} neighbors: the gallery has {most} items beside the query")
    k = min(NEIGHBORS, most) if k is None else k
    distances, rows = index.search(asking.vectors, k + 1)
    found = []
    for i in range(len(asking)):
        kept = [j for j in range(k + 1) if rows[i, j] >= 0 and gallery.ids[rows[i, j]] != asking.ids[i]][:k]
        here = rows[i, kept]
        found.append(
            Answer(
                id=str(asking.ids[i]),
                path=str(asking.paths[i]),
                label=label_of(asking, i),
                ids=[str(name) for name in gallery.ids[here]],
                paths=[str(path) for path in gallery.paths[here]],
                labels=[label_of(gallery, row) for row in here],
                distances=[float(distance) for distance in distances[i, kept]],
            )
        )
    return found


def answers_of_query(asked: Sequence[dict[str, Any]]) -> list[Answer]:
    """What `query_run` returns, whose queries have no class."""
    return [
        Answer(
            id=one["image"],
            path=one["image"],
            label="",
            ids=[item["id"] for item in one["neighbors"]],
            paths=[item["path"] for item in one["neighbors"]],
            labels=[item["label"] for item in one["neighbors"]],
            distances=[item["distance"] for item in one["neighbors"]],
        )
        for one in asked
    ]


def panels(found: Sequence[Answer]) -> list[NeighborPanel]:
    """Answers with their images, for a figure."""
    drawn = []
    for answer in found:
        images = thumbnails([answer.path, *answer.paths], THUMBNAIL)
        note = answer.note if answer.label else Path(answer.path).name
        drawn.append(NeighborPanel(images[0], answer.label, images[1:], answer.labels, answer.distances, note))
    return drawn


def image_rows(found: Sequence[Answer]) -> list[ImageRow]:
    """Answers with their images, for a page."""
    rows = []
    for answer in found:
        images = thumbnails([answer.path, *answer.paths], ON_A_PAGE)
        neighbors = [
            ReportImage(
                pixels,
                label,
                f"{distance:.3f}",
                label == answer.label if label and answer.label else None,
                f"{label or 'class unknown'}: {name}",
            )
            for pixels, label, distance, name in zip(images[1:], answer.labels, answer.distances, answer.ids)
        ]
        query = ReportImage(
            images[0], answer.label, answer.note or "query", None, f"query, {answer.label}: {answer.id}"
        )
        rows.append(ImageRow(query, neighbors))
    return rows


def thumbnails(paths: Sequence[str], size: int) -> list[np.ndarray]:
    """The images, each uint8 [size, size, 3] with borders; black where a file cannot be read any more."""
    images = np.zeros((len(paths), size, size, 3), np.uint8)
    for image, path in zip(images, paths):
        with contextlib.suppress(BrokenImageError):
            image[:] = read_image(path, size, fit="pad")
    return list(images)
