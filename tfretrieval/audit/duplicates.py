"""Near duplicates: scaled, recompressed, brightened or mirrored copies of an image.

Similar scenes have similar embeddings, and images of sky over sea have similar pixels. Copies of one image also agree
in the high-pass filtered thumbnail: 32 x 32 gray pixels, each minus the mean of its surroundings.
"""

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from tfretrieval.audit.similar_items import SimilarItems
from tfretrieval.retrieval.distances import blocks
from tfretrieval.vectors import unit_rows

MIN_CORRELATION = 0.85  # of the filtered thumbnails of two copies
MIN_CORRELATION_CLOSE = 0.55  # the same for pairs with close embeddings: slightly cropped, or taken a moment later
MIN_COSINE = 0.9  # of close embeddings
N_PIXEL_NEIGHBORS, N_CLOSE_NEIGHBORS = 6, 3
N_DEVIATIONS = np.array([10, 8])  # standard deviations above random pairs that both correlations must exceed
SAMPLE, MIN_SAMPLED = 8192, 20  # random pairs, and the fewest images to draw them from
WINDOW = 7  # side of the window whose mean is subtracted, in pixels
NOISE = 0.5  # standard deviation of a filtered thumbnail that is noise, in gray levels of 0..255
BLOCK = 4096


def near_duplicates(
    gray: np.ndarray, neighbors: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find pairs of images whose high-pass filtered thumbnails correlate, original or mirrored.

    The threshold is a correlation of 0.85; or of 0.55 for two images whose embeddings have a cosine of at least 0.9 and
    that are among each other's three nearest neighbors. Where random pairs correlate, as drawings of digits do, both
    thresholds are raised to the median of random pairs plus 10 or 8 standard deviations, estimated from the quartiles
    (of Fisher's z). Images of a single color match no other.

    Args:
        gray: uint8 [n, s, s], images scaled to squares, in gray.
        neighbors: neighbors by embedding: cosines, float32 [n, k], in descending order, and rows, int64 [n, k],
            -1 for none.

    Returns:
        pairs, int64 [m, 2], sorted, lower row first; and correlations, float32 [m].
    """
    n = len(gray)
    if n < 2:
        return np.empty((0, 2), np.int64), np.empty(0, np.float32)
    vectors, mirror = high_pass(gray), np.arange(gray[0].size).reshape(gray[0].shape)[:, ::-1].ravel()
    search = SimilarItems(vectors)
    neighbor_rows = [search.neighbors(N_PIXEL_NEIGHBORS, order)[1] for order in (None, mirror)]
    by_pixels = np.unique(np.concatenate([_pairs(rows) for rows in neighbor_rows]), axis=0)
    by_embedding = np.empty((0, 2), np.int64) if neighbors is None else _mutual_pairs(*neighbors)
    pairs = np.concatenate([by_pixels, by_embedding])
    correlations = _correlations(vectors, mirror, pairs)
    lower_bounds = np.maximum([MIN_CORRELATION, MIN_CORRELATION_CLOSE], _random_correlations(vectors, mirror))
    is_duplicate = correlations >= np.repeat(lower_bounds, [len(by_pixels), len(by_embedding)])
    pairs, first = np.unique(pairs[is_duplicate], axis=0, return_index=True)
    return pairs, np.minimum(correlations[is_duplicate][first], 1)


def high_pass(gray: np.ndarray) -> np.ndarray:
    """Return high-pass filtered images as unit vectors whose dot products are correlations: float32 [n, s * s].

    Each pixel minus the mean of the 7 x 7 window around it. An image of a single color gives zeros.

    Args:
        gray: uint8 [n, s, s].
    """
    vectors = np.empty((len(gray), gray[0].size), np.float32)
    for block in blocks(len(gray), BLOCK):
        pixels = gray[block].astype(np.float32)
        residual = pixels - uniform_filter(pixels, (0, WINDOW, WINDOW), mode="nearest")
        residual -= residual.mean(axis=(1, 2), keepdims=True)
        residual[residual.std(axis=(1, 2)) < NOISE] = 0
        vectors[block] = unit_rows(residual.reshape(len(residual), -1))
    return vectors


def connected_groups(pairs: np.ndarray) -> list[list[int]]:
    """Return the connected components of pairs, int [m, 2], as sorted groups of rows.

    >>> connected_groups(np.array([[0, 4], [2, 7], [4, 9]]))
    [[0, 4, 9], [2, 7]]
    """
    if not len(pairs):
        return []
    rows, nodes = np.unique(pairs, return_inverse=True)
    source, target = nodes.reshape(pairs.shape).T
    graph = coo_matrix((np.ones(len(pairs), bool), (source, target)), shape=(len(rows), len(rows)))
    n_groups, group_of = connected_components(graph, directed=False)
    order = np.argsort(group_of, kind="stable")
    ends = np.cumsum(np.bincount(group_of, minlength=n_groups))[:-1]
    return sorted(part.tolist() for part in np.split(rows[order], ends))


def _mutual_pairs(cosines: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Pairs with close embeddings that are among each other's nearest neighbors."""
    close = np.where(cosines >= MIN_COSINE, rows, -1)[:, :N_CLOSE_NEIGHBORS]
    pairs, counts = np.unique(_pairs(close), axis=0, return_counts=True)
    return pairs[counts == 2]


def _random_correlations(vectors: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Two correlations that random pairs do not reach, from the quartiles of a sample."""
    if len(vectors) < MIN_SAMPLED:
        return np.zeros(2)
    first, second = np.random.default_rng(0).integers(0, len(vectors), (2, SAMPLE))
    pairs = np.column_stack([first, second])[first != second]
    z = np.arctanh(np.minimum(_correlations(vectors, mirror, pairs), 0.999))
    low, median, high = np.percentile(z, [25, 50, 75])
    return np.tanh(median + N_DEVIATIONS * (high - low) / 1.349)


def _correlations(vectors: np.ndarray, mirror: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The greater of the correlations of each pair, original and mirrored."""
    correlations = np.empty(len(pairs), np.float32)
    for block in blocks(len(pairs), BLOCK):
        first, second = vectors[pairs[block, 0]], vectors[pairs[block, 1]]
        correlations[block] = np.maximum(_dot(first, second), _dot(first, second[:, mirror]))
    return correlations


def _pairs(rows: np.ndarray) -> np.ndarray:
    """Neighbors, int64 [n, k], as pairs [m, 2], lower row first, without those of -1."""
    pairs = np.column_stack([np.repeat(np.arange(len(rows)), rows.shape[1]), rows.ravel()])
    return np.sort(pairs[pairs[:, 1] >= 0], axis=1)


def _dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.einsum("md,md->m", first, second)
