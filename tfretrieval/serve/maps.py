"""The gallery laid out in the plane, and where a query belongs in it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import get_args

import numpy as np

from tfretrieval.atomic import read_json, replaced_directory, write_json
from tfretrieval.errors import UserError
from tfretrieval.serve.collection import Collection, Found
from tfretrieval.visualize.projection import Method, project, subsample

log = logging.getLogger(__name__)

FORMAT = 1
METHODS: tuple[Method, ...] = get_args(Method)
MOST = {"umap": 100_000, "tsne": 20_000}
REDUCED_FROM, COMPONENTS = 5_000, 50
PLACED_BY = 5


@dataclass(frozen=True, eq=False)
class Map:
    """m gallery items in the plane.

    Attributes:
        rows: int32 [m] of the gallery, rising.
        points: float32 [m, 2] within -1..1, the scale of both axes the same.
    """

    rows: np.ndarray
    points: np.ndarray

    def place(self, found: list[Found]) -> list[float] | None:
        """Where a query belongs, x and y: where that of its nearest neighbors lies that is in the midst of them.

        A mean would fall between two groups where neighbors are in both. None where no neighbor is on the map.
        """
        places = np.searchsorted(self.rows, [item.row for item in found[:PLACED_BY]])
        known = [place for place, item in zip(places, found) if place < len(self.rows) and self.rows[place] == item.row]
        if not known:
            return None
        near = self.points[known]
        spread = np.abs(near[:, None] - near[None]).sum((1, 2))
        return [float(value) for value in near[int(np.argmin(spread))]]


def map_of(collection: Collection, method: Method, seed: int = 0) -> Map:
    """The map of a gallery: the one that is kept, or a new one, which is kept.

    Of more items than 100,000 (t-SNE: 20,000) so many are drawn at random. Of more than 5,000 the vectors are reduced
    to 50 values by PCA first, as is usual.

    Raises:
        UserError: fewer than 4 items, or a vector that is not finite.
    """
    made_from = {"format": FORMAT, "gallery": collection.gallery.fingerprint, "method": method, "seed": seed}
    kept = _kept(collection, method, made_from)
    if kept is not None:
        return kept
    rows = subsample(len(collection.gallery), MOST[method], seed)
    vectors = np.asarray(collection.gallery.vectors[rows])
    if len(rows) > REDUCED_FROM and vectors.shape[1] > COMPONENTS:
        from sklearn.decomposition import PCA

        vectors = PCA(COMPONENTS, svd_solver="randomized", random_state=seed).fit_transform(vectors)
    log.info("laying out %d items by %s", len(rows), method)
    made = Map(rows.astype(np.int32), _within_bounds(project(vectors, method, seed)))
    if collection.directory is not None:
        try:
            with replaced_directory(collection.directory / method, "map.json") as temporary:
                np.save(temporary / "rows.npy", made.rows)
                np.save(temporary / "points.npy", made.points)
                write_json(temporary / "map.json", made_from)
        except UserError as error:
            log.warning("the map is not kept: %s", error)
    return made


def _kept(collection: Collection, method: Method, made_from: dict[str, object]) -> Map | None:
    if collection.directory is None:
        return None
    home = collection.directory / method
    try:
        if read_json(home / "map.json") != made_from:
            return None
        return Map(np.load(home / "rows.npy"), np.load(home / "points.npy"))
    except (UserError, OSError, ValueError):
        return None


def _within_bounds(points: np.ndarray) -> np.ndarray:
    low, high = points.min(0), points.max(0)
    half = float((high - low).max()) / 2 or 1.0
    return ((points - (low + high) / 2) / half).astype(np.float32)
