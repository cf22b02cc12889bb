"""Scatter plot of projected embeddings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from scipy.spatial import KDTree

from tfretrieval.visualize.theme import INK, MUTED, class_style, display_text, hide_axes, new_figure, themed

MAX_MOVED_NAMES = 20  # classes whose names are all shown, moved apart
N_NEIGHBORS = 40  # at most, of the point that a class name is attached to
_ANGLES = np.linspace(0, 2 * np.pi, 24, endpoint=False)
SHIFTS = np.vstack([[0, 0], *(r * np.column_stack([np.cos(_ANGLES), np.sin(_ANGLES)]) for r in range(4, 600, 4))])


def plot_scatter(
    points: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    splits: np.ndarray,
    gallery_split: str,
    title: str | None = None,
) -> Figure:
    """Plot points colored by class: gallery items as dots, queries larger, with the marker of their class.

    Class names are written at their clusters. Up to 20 names are moved apart where they would overlap. Of more, those
    of the purest clusters are shown as far as they do not overlap.

    Args:
        points: float [n, 2].
        labels: int [n], index into `class_names`, or -1 where the class is unknown.
        class_names: the c names.
        splits: [n], split names.
        gallery_split: split of the gallery items; all others are queries.
        title: title.
    """
    n, is_query = len(points), splits != gallery_split
    present = sorted({int(label) for label in np.unique(labels)}, key=lambda label: (label < 0, label))
    named = [label for label in present if label >= 0]

    with themed():
        figure = new_figure(6.6, 5.9, title) if len(named) <= MAX_MOVED_NAMES else new_figure(8.6, 7.4, title)
        axes = figure.subplots()
        hide_axes(axes)
        axes.set_aspect("equal", adjustable="datalim")
        axes.margins(0.04)
        for label in present:
            _draw_points(axes, label, points[(labels == label) & ~is_query], is_query=False, n=n)
        for label in present:
            _draw_points(axes, label, points[(labels == label) & is_query], is_query=True, n=n)
        legend = []
        if is_query.any():
            names = (gallery_split, ", ".join(dict.fromkeys(splits[is_query])))
            gallery, query = (display_text(name) or "no split" for name in names)
            legend.append(f"small dots: {gallery}, large markers: {query}")
        if -1 in present:
            legend.append("gray: class unknown")
        axes.set_title("; ".join(legend), fontsize=10.5, weight="normal", color=MUTED)
        _write_names(figure, axes, points, labels, {label: class_names[label] for label in named})
    return figure


def _draw_points(axes: Axes, label: int, points: np.ndarray, is_query: bool, n: int) -> None:
    if not len(points):
        return
    color, marker = (class_style(label).color, class_style(label).marker) if label >= 0 else (MUTED, "x")
    scale = float(np.clip(np.sqrt(2000 / n), 0.35, 1.6))
    style: dict[str, Any] = {"s": 9 * scale, "alpha": 0.45, "linewidths": 0, "zorder": 2}
    if is_query:
        size = 24 * scale * (1.7 if marker == "*" else 1)
        edges = {"linewidths": 0.9} if marker == "x" else {"edgecolors": "white", "linewidths": 0.5}
        style = {"s": size, "marker": marker, "zorder": 3, **edges}
    axes.scatter(points[:, 0], points[:, 1], c=color, **style)


def _write_names(figure: Figure, axes: Axes, points: np.ndarray, labels: np.ndarray, names: dict[int, str]) -> None:
    """Write class names at their clusters, the purest first."""
    tree = KDTree(points)
    centers = {label: _cluster_center(tree, labels, label) for label in names}
    all_named = len(names) <= MAX_MOVED_NAMES
    halo = [patheffects.withStroke(linewidth=3.5 if all_named else 1.5, foreground="white")]
    texts = [
        axes.annotate(
            display_text(names[label], 24), tuple(centers[label][0]), fontsize=12.5 if all_named else 8,
            path_effects=halo, ha="center", va="center", weight="bold" if all_named else "normal", color=INK, zorder=5,
        )
        for label in sorted(names, key=lambda label: 0 if all_named else -centers[label][1])
    ]  # fmt: skip
    figure.draw_without_rendering()
    _place_names(axes, texts, may_move=all_named)


def _cluster_center(tree: KDTree, labels: np.ndarray, label: int) -> tuple[np.ndarray, float]:
    """Return the point of a class with most neighbors of its class, the densest of equals, and their share."""
    points = tree.data[labels == label]
    distances, rows = tree.query(points, k=min(N_NEIGHBORS, len(points)))
    distances, rows = distances.reshape(len(points), -1), rows.reshape(len(points), -1)
    purity = (labels[rows] == label).mean(axis=1)
    best = np.lexsort((distances.sum(axis=1), -purity))[0]
    return points[best], float(purity[best])


def _place_names(axes: Axes, texts: list[Annotation], may_move: bool) -> None:
    """Move each text to the nearest place inside the axes that earlier ones leave free; remove texts without one.

    A line leads to the cluster of a text that moves by more than its height. Texts that may not move are removed where
    they would overlap an earlier one.
    """
    frame, inverse = axes.get_window_extent(), axes.transData.inverted()
    shifts = SHIFTS if may_move else SHIFTS[:1]
    occupied = np.empty((0, 4))
    for text in texts:
        box = text.get_window_extent().padded(2)
        boxes = np.hstack([box.min + shifts, box.max + shifts])
        low, high = boxes[:, None, :2], boxes[:, None, 2:]
        is_free = ~np.any(((low < occupied[:, 2:]) & (high > occupied[:, :2])).all(axis=2), axis=1)
        if may_move:
            is_free &= ((boxes[:, :2] >= frame.min) & (boxes[:, 2:] <= frame.max)).all(axis=1)
        if not is_free.any():
            text.remove()
            continue
        chosen = int(np.argmax(is_free))
        occupied = np.vstack([occupied, boxes[chosen]])
        x, y = inverse.transform(axes.transData.transform(text.xy) + shifts[chosen])
        text.set_position((x, y))
        if np.linalg.norm(shifts[chosen]) > box.height:
            axes.plot([text.xy[0], x], [text.xy[1], y], color=INK, linewidth=0.8, zorder=4, scalex=False, scaley=False)
