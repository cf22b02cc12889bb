"""Images that show the same though their bytes differ: scaled, compressed again, brightened, mirrored.

Two scenes that are merely alike have similar embeddings, and two images of a sky over a sea have similar pixels on
the whole. Of the same image the details agree as well: what is left of 32 x 32 gray pixels when the mean of its
surroundings is taken from each.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from tfretrieval.audit.similar_items import Within
from tfretrieval.retrieval.blocks import blocks
from tfretrieval.vectors import unit_rows

SAME = 0.85  # correlation of the details of the same image
SIMILAR = 0.55  # the same, where embeddings agree as well: cropped a little, or taken a moment later
CLOSE = 0.9  # cosine of embeddings that agree
NEAREST, CLOSEST = 6, 3  # neighbors that are looked at, by details and by embedding
SAME_BEYOND, SIMILAR_BEYOND = 10, 8  # standard deviations above what random images have in common
SAMPLE, ENOUGH = 8192, 20  # random pairs, and images from which such can be drawn
SURROUNDINGS = 7  # pixels of the side of the square whose mean is taken from each pixel
FAINT = 0.5  # standard deviation of details that are but noise, of 255
BLOCK = 4096  # images or pairs


def near_duplicates(
    gray: np.ndarray, neighbors: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of images whose details agree, upright or mirrored.

    That is a correlation of 0.85; or of 0.55 for two whose embeddings have a cosine of 0.9 and that are among the three
    nearest of each other. Where random images of the collection have much in common, as drawings of digits do, both
    limits rise: to 10 and to 8 standard deviations above what these have (of Fisher's z). Images without details,
    such as those of one color, are like no other.

    Args:
        gray: uint8 [n, s, s], the images scaled down to squares, in gray.
        neighbors: by embeddings: cosines, float32 [n, k], greatest first, and rows, int64 [n, k], -1 for none.

    Returns:
        pairs, int64 [m, 2], the lower row first, in order; and their correlations, float32 [m].
    """
    n = len(gray)
    if n < 2:
        return np.empty((0, 2), np.int64), np.empty(0, np.float32)
    fine, mirror = details(gray), np.arange(gray[0].size).reshape(gray[0].shape)[:, ::-1].ravel()
    within, k = Within(fine), min(NEAREST, n - 1)
    alike = _distinct(np.concatenate([_pairs(within.neighbors(k, order)[1]) for order in (None, mirror)]))[0]
    close = np.empty((0, 2), np.int64) if neighbors is None else _close(*neighbors)
    pairs = np.concatenate([alike, close])
    likeness = _likeness(fine, mirror, pairs)
    same, similar = np.maximum([SAME, SIMILAR], _by_chance(fine, mirror))
    same = likeness >= np.where(np.arange(len(pairs)) < len(alike), same, similar)
    pairs, first = np.unique(pairs[same], axis=0, return_index=True)
    return pairs, np.minimum(likeness[same][first], 1)


def details(gray: np.ndarray) -> np.ndarray:
    """The details of images as vectors of norm 1, whose products are correlations: float32 [n, s * s].

    From each pixel the mean of the 7 x 7 around it is taken. An image of one color gives zeros.

    Args:
        gray: uint8 [n, s, s].
    """
    vectors = np.empty((len(gray), gray[0].size), np.float32)
    for block in blocks(len(gray), BLOCK):
        pixels = gray[block].astype(np.float32)
        fine = pixels - uniform_filter(pixels, (0, SURROUNDINGS, SURROUNDINGS), mode="nearest")
        fine -= fine.mean(axis=(1, 2), keepdims=True)
        fine[fine.std(axis=(1, 2)) < FAINT] = 0
        vectors[block] = unit_rows(fine.reshape(len(fine), -1))
    return vectors


def joined(pairs: np.ndarray) -> list[list[int]]:
    """Rows that are connected by pairs, int [m, 2], as groups of two or more, each and all in order.

    >>> joined(np.array([[0, 4], [2, 7], [4, 9]]))
    [[0, 4, 9], [2, 7]]
    """
    if not len(pairs):
        return []
    rows, places = np.unique(pairs, return_inverse=True)
    one, other = places.reshape(pairs.shape).T
    graph = coo_matrix((np.ones(len(pairs), bool), (one, other)), shape=(len(rows), len(rows)))
    number, group_of = connected_components(graph, directed=False)
    order = np.argsort(group_of, kind="stable")
    ends = np.cumsum(np.bincount(group_of, minlength=number))[:-1]
    return sorted(part.tolist() for part in np.split(rows[order], ends))


def _close(cosines: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Pairs that are among the nearest of each other and have similar embeddings."""
    near = np.where(cosines >= CLOSE, rows, -1)[:, :CLOSEST]
    pairs, times = _distinct(_pairs(near))
    return pairs[times == 2]


def _by_chance(fine: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Two correlations that random images do not reach, from the quartiles of a sample."""
    if len(fine) < ENOUGH:
        return np.zeros(2)
    one, other = np.random.default_rng(0).integers(0, len(fine), (2, SAMPLE))
    pairs = np.column_stack([one, other])[one != other]
    low, middle, high = np.percentile(np.arctanh(np.minimum(_likeness(fine, mirror, pairs), 0.999)), [25, 50, 75])
    return np.tanh(middle + np.array([SAME_BEYOND, SIMILAR_BEYOND]) * (high - low) / 1.349)


def _likeness(fine: np.ndarray, mirror: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    likeness = np.empty(len(pairs), np.float32)
    for block in blocks(len(pairs), BLOCK):
        one, other = fine[pairs[block, 0]], fine[pairs[block, 1]]
        likeness[block] = np.maximum(_products(one, other), _products(one, other[:, mirror]))
    return likeness


def _pairs(rows: np.ndarray) -> np.ndarray:
    """Neighbors int64 [n, k] as pairs [m, 2], the lower row first; those of -1 are left out."""
    pairs = np.column_stack([np.repeat(np.arange(len(rows)), rows.shape[1]), rows.ravel()])
    return np.sort(pairs[pairs[:, 1] >= 0], axis=1)


def _distinct(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each pair once, and how many times it was there."""
    return np.unique(pairs, axis=0, return_counts=True)


def _products(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.einsum("md,md->m", one, other)
