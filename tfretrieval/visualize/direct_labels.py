"""Placement of labels so that they do not overlap."""

from __future__ import annotations

import numpy as np

MAX_ROUNDS = 400
TOLERANCE = 0.1  # overlap that is accepted, in the units of the boxes


def separate_boxes(centers: np.ndarray, sizes: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Move boxes apart inside a frame until none overlap, each as little as possible.

    Two overlapping boxes move apart by half each, along the axis of the smaller overlap. In a crowded frame some
    overlap remains.

    Args:
        centers: float [c, 2], preferred positions.
        sizes: float [c, 2], widths and heights.
        low: float [2], lower left corner of the frame.
        high: float [2], upper right corner of the frame.

    Returns:
        float64 [c, 2], the new centers.

    >>> boxes = np.array([[4.0, 2.0], [4.0, 2.0]])
    >>> separate_boxes(np.array([[5.0, 5.0], [5.5, 5.5]]), boxes, np.zeros(2), np.full(2, 10.0)).tolist()
    [[5.0, 4.25], [5.5, 6.25]]
    """
    sizes = np.asarray(sizes, float)
    low, high = np.asarray(low) + sizes / 2, np.asarray(high) - sizes / 2
    positions = np.maximum(np.minimum(np.array(centers, float), high), low)
    for _ in range(MAX_ROUNDS):
        moved = False
        for i in range(len(positions)):
            for j in range(i + 1, len(positions)):
                offset = positions[j] - positions[i]
                overlap = (sizes[i] + sizes[j]) / 2 - np.abs(offset)
                if (overlap > TOLERANCE).all():
                    axis = int(np.argmin(overlap))
                    shift = overlap[axis] / 2 * (1 if offset[axis] >= 0 else -1)
                    positions[i, axis] -= shift
                    positions[j, axis] += shift
                    moved = True
        positions = np.maximum(np.minimum(positions, high), low)
        if not moved:
            break
    return positions
