"""Maps: two-dimensional projections of the gallery, and the position of a query."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from tfretrieval.artifacts import ArtifactType
from tfretrieval.errors import UserError
from tfretrieval.serve.collection import Collection
from tfretrieval.visualize.projection import Method, project, subsample

log = logging.getLogger(__name__)

MAP = ArtifactType("map", "map.json", 1, "it is recomputed")
METHODS: tuple[Method, ...] = get_args(Method)
MAX_ITEMS = {"umap": 100_000, "tsne": 20_000}
PCA_FROM, PCA_COMPONENTS = 5_000, 50  # items, components
N_NEIGHBORS = 5


@dataclass(frozen=True, eq=False)
class Map:
    """m gallery items in the plane.

    Attributes:
        rows: int32 [m], gallery rows, ascending.
        points: float32 [m, 2] in -1..1, both axes on the same scale.
    """

    rows: np.ndarray
    points: np.ndarray

    def query_position(self, neighbors: Sequence[int]) -> list[float] | None:
        """Return x and y of the medoid of a query's five nearest neighbors; None if none is on the map.

        The mean could fall between two clusters.

        Args:
            neighbors: int [k], gallery rows, nearest first.
        """
        points = self.points[np.isin(self.rows, neighbors[:N_NEIGHBORS])]
        if not len(points):
            return None
        total_distances = np.abs(points[:, None] - points[None]).sum((1, 2))
        return [float(value) for value in points[int(np.argmin(total_distances))]]


def compute_map(collection: Collection, method: Method, seed: int = 0) -> Map:
    """Return the cached map of a gallery, or compute and cache it.

    Of more than 100,000 items (t-SNE: 20,000) a random sample is projected. From 5,000 items on, vectors are reduced to
    50 dimensions by PCA first.

    Raises:
        UserError: there are fewer than 4 items, or a vector is not finite.
    """
    header = {"gallery": collection.gallery.fingerprint, "method": method, "seed": seed}
    folder = collection.directory / method
    cached = _load(folder, header)
    if cached is not None:
        return cached
    rows = subsample(len(collection.gallery), MAX_ITEMS[method], seed)
    vectors = np.asarray(collection.gallery.vectors[rows])
    if len(rows) > PCA_FROM and vectors.shape[1] > PCA_COMPONENTS:
        from sklearn.decomposition import PCA

        vectors = PCA(PCA_COMPONENTS, svd_solver="randomized", random_state=seed).fit_transform(vectors)
    log.info("computing a map of %d items by %s", len(rows), method)
    result = Map(rows.astype(np.int32), _scale(project(vectors, method, seed)))
    try:
        with MAP.replaced(folder) as temporary:
            np.save(temporary / "rows.npy", result.rows)
            np.save(temporary / "points.npy", result.points)
            MAP.write_header(temporary, header)
    except UserError as error:
        log.warning("the map is not cached: %s", error)
    return result


def _load(folder: Path, header: dict[str, object]) -> Map | None:
    try:
        if not header.items() <= MAP.read_header(folder).items():
            return None
        with MAP.reading(folder):
            return Map(np.load(folder / "rows.npy"), np.load(folder / "points.npy"))
    except UserError:
        return None


def _scale(points: np.ndarray) -> np.ndarray:
    """Scale points to -1..1."""
    low, high = points.min(0), points.max(0)
    half = float((high - low).max()) / 2 or 1.0
    return ((points - (low + high) / 2) / half).astype(np.float32)
