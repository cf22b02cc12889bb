"""`SearchResult` and `Hit`: search results as people read them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tfretrieval.data.catalog import Catalog
from tfretrieval.retrieval.neighbors import Neighbors


@dataclass(frozen=True)
class Hit:
    """One neighbor of a query.

    Attributes:
        rank: 1 for the nearest.
        id: of the gallery item.
        label: its class name; "" if unknown.
        split: its split.
        path: location of its image.
        distance: to the query.
    """

    rank: int
    id: str
    label: str
    split: str
    path: str
    distance: float


@dataclass(frozen=True)
class SearchResult:
    """A query with its hits, nearest first.

    Attributes:
        id: of the query.
        path: location of its image.
        label: its class name; "" if unknown.
        hits: the neighbors.
        vote: class of most hits, of equally frequent ones the nearer; "" if no hit has a known class.
        average_precision: of the query's whole ranking; None if not evaluated.
    """

    id: str
    path: str
    label: str
    hits: tuple[Hit, ...]
    vote: str = ""
    average_precision: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`."""
        return asdict(self)


def search_results(neighbors: Neighbors, queries: Catalog, gallery: Catalog) -> list[SearchResult]:
    """One result for each query.

    Args:
        neighbors: of q queries among the gallery items.
        queries: catalog of the q queries.
        gallery: catalog of the gallery.

    >>> catalog = Catalog.from_lists(["a.jpg", "b.jpg"], labels=[0, 0], class_names=["cat"])
    >>> result, = search_results(Neighbors(np.float32([[0.5]]), np.array([[1]])), catalog.subset([0]), catalog)
    >>> result.vote, result.hits[0].id, result.hits[0].distance
    ('cat', 'b.jpg', 0.5)
    """
    votes = majority_vote(neighbors.labels(gallery.labels))
    return [
        SearchResult(
            id=str(queries.ids[i]),
            path=str(queries.paths[i]),
            label=queries.class_of(i),
            hits=_hits(neighbors.distances[i], neighbors.rows[i], gallery),
            vote=gallery.class_names[votes[i]] if votes[i] >= 0 else "",
        )
        for i in range(len(neighbors))
    ]


def majority_vote(neighbor_labels: np.ndarray) -> np.ndarray:
    """The most frequent label of each row, int [q]; of equally frequent ones, that of the nearest item.

    Args:
        neighbor_labels: int [q, k], nearest first; -1 does not count, and a row of -1 gives -1.

    >>> majority_vote(np.array([[2, 1, 1, 2, 0], [-1, -1, 3, -1, -1]]))
    array([2, 3])
    """
    votes = (neighbor_labels[:, :, None] == neighbor_labels[:, None, :]).sum(axis=2)
    votes[neighbor_labels < 0] = 0
    return np.take_along_axis(neighbor_labels, votes.argmax(axis=1)[:, None], axis=1)[:, 0]


def _hits(distances: Sequence[float] | np.ndarray, rows: np.ndarray, gallery: Catalog) -> tuple[Hit, ...]:
    return tuple(
        Hit(
            rank=rank,
            id=str(gallery.ids[row]),
            label=gallery.class_of(row),
            split=str(gallery.splits[row]),
            path=str(gallery.paths[row]),
            distance=round(float(distance), 6),
        )
        for rank, (row, distance) in enumerate(zip(rows, distances), start=1)
        if row >= 0
    )
