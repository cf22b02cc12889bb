"""An embedding drawn in two dimensions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.spatial import KDTree

from tfretrieval.errors import UserError
from tfretrieval.visualize.direct_labels import spread_apart
from tfretrieval.visualize.theme import INK, MUTED, bare, class_style, look, new_figure, shown

MOST_IN_LEGEND = 40
MOST_NAMED_IN_PLACE = 20
HEART = 40  # points of a neighborhood
_GALLERY_NAMES = ("gallery", "train")


def plot_scatter(
    points: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    splits: Sequence[str] | np.ndarray | None = None,
    title: str | None = None,
) -> Figure:
    """Draw points colored by class; the gallery as dots, the queries larger, with a marker of their class.

    The gallery is the split named "gallery" or "train", else that of the first point; without `splits` all
    points are gallery. Up to 20 classes have their names among their points, moved apart where they would cover one
    another, so that the plot is read without a legend and without its colors; more have a legend.

    Args:
        points: float [n, 2].
        labels: int [n], an index into `class_names`, or -1 where the class is not known.
        class_names: the c names.
        splits: [n] names of splits.
        title: heading.

    Raises:
        UserError: the arrays differ in length, there is no point, or a label is out of range.
    """
    points, labels = np.asarray(points), np.asarray(labels)
    n = len(points)
    if points.shape != (n, 2) or not n or labels.shape != (n,) or (splits is not None and len(splits) != n):
        raise UserError(
            f"a scatter plot needs points [n, 2] with n labels and splits, not {points.shape} and {labels.shape}"
        )
    if labels.min() < -1 or labels.max() >= len(class_names):
        raise UserError(f"a label lies outside -1..{len(class_names) - 1}")
    is_query, gallery, query = _divide(splits, n)
    present = sorted({int(label) for label in np.unique(labels)}, key=lambda label: (label < 0, label))

    in_place = len(present) <= MOST_NAMED_IN_PLACE
    with look():
        figure = new_figure(6.6 if in_place else 8.2, 5.9, title)
        axes = figure.subplots()
        bare(axes)
        axes.set_aspect("equal", adjustable="datalim")
        axes.margins(0.04)
        for label in present:
            _draw(axes, label, points[(labels == label) & ~is_query], dots=True, n=n)
        for label in present:
            _draw(axes, label, points[(labels == label) & is_query], dots=False, n=n)
        _explain(axes, (gallery, query) if is_query.any() else None, in_place and -1 in present)
        if in_place:
            tree = KDTree(points)
            named = [label for label in present if label >= 0]
            _write_names(figure, axes, {class_names[label]: _heart(tree, labels, label) for label in named})
        else:
            _legend(figure, present, class_names, bool(is_query.any()))
    return figure


def _divide(splits: Sequence[str] | np.ndarray | None, n: int) -> tuple[np.ndarray, str, str]:
    if splits is None:
        return np.zeros(n, bool), "", ""
    names = list(dict.fromkeys(str(split) for split in splits))
    gallery = next((name for name in _GALLERY_NAMES if name in names), names[0])
    is_query = np.array([str(split) != gallery for split in splits])
    return is_query, gallery, ", ".join(name for name in names if name != gallery)


def _look_of(label: int) -> tuple[str, str]:
    if label < 0:
        return MUTED, "x"
    return class_style(label).color, class_style(label).marker


def _draw(axes: Axes, label: int, points: np.ndarray, dots: bool, n: int) -> None:
    if not len(points):
        return
    color, marker = _look_of(label)
    shrink = float(np.clip(np.sqrt(2000 / n), 0.35, 1.6)) * (1.7 if marker == "*" and not dots else 1)
    if dots:
        axes.scatter(points[:, 0], points[:, 1], s=9 * shrink, c=color, alpha=0.45, linewidths=0, zorder=2)
    elif marker == "x":
        axes.scatter(points[:, 0], points[:, 1], s=24 * shrink, c=color, marker=marker, linewidths=0.9, zorder=3)
    else:
        axes.scatter(
            points[:, 0],
            points[:, 1],
            s=24 * shrink,
            c=color,
            marker=marker,
            edgecolors="white",
            linewidths=0.5,
            zorder=3,
        )


def _heart(tree: KDTree, labels: np.ndarray, label: int) -> np.ndarray:
    """The point of a class whose neighborhood is most its own; of equals that with the nearest neighbors."""
    points = tree.data[labels == label]
    distances, rows = tree.query(points, k=min(HEART, len(labels)))
    distances, rows = distances.reshape(len(points), -1), rows.reshape(len(points), -1)
    own = (labels[rows] == label).sum(axis=1)
    return points[np.lexsort((distances.sum(axis=1), -own))[0]]


def _explain(axes: Axes, splits: tuple[str, str] | None, some_unknown: bool) -> None:
    """What the shapes stand for, in a line below the heading."""
    said = []
    if splits is not None:
        gallery, queries = (shown(split) or "no split" for split in splits)
        said.append(f"small dots: {gallery}, large shapes: {queries}")
    if some_unknown:
        said.append("gray: class unknown" if splits is None else "gray dots and crosses: class unknown")
    if said:
        axes.set_title("; ".join(said), fontsize=10.5, weight="normal", color=MUTED)


def _write_names(figure: Figure, axes: Axes, places: Mapping[str, np.ndarray]) -> None:
    """Each name at its place, or as near as the others let it, with a line to the place where that is not near."""
    halo = [patheffects.withStroke(linewidth=3.5, foreground="white")]
    how: dict[str, Any] = {"ha": "center", "va": "center", "weight": "bold", "color": INK, "zorder": 5}
    texts = [
        axes.annotate(shown(name, 24), tuple(place), fontsize=12.5, path_effects=halo, **how)
        for name, place in places.items()
    ]
    if not texts:
        return
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in texts]
    centres = np.array([[(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2] for box in boxes])
    sizes = np.array([[box.width + 4, box.height + 2] for box in boxes])
    frame = axes.get_window_extent()
    moved = spread_apart(centres, sizes, np.array(frame.min), np.array(frame.max))
    to_points = axes.transData.inverted()
    for text, anchor, center, place, size in zip(texts, places.values(), centres, moved, sizes):
        at = to_points.transform(place)
        text.set_position((float(at[0]), float(at[1])))
        if np.linalg.norm(place - center) > size[1]:
            axes.plot(
                [anchor[0], at[0]], [anchor[1], at[1]], color=INK, linewidth=0.8, zorder=4, scalex=False, scaley=False
            )


def _legend(figure: Figure, present: list[int], class_names: Sequence[str], by_marker: bool) -> None:
    handles = []
    names = []
    for label in present[:MOST_IN_LEGEND]:
        color, marker = _look_of(label)
        marker = marker if by_marker else "o"
        handles.append(Line2D([], [], linestyle="", marker=marker, color=color, markersize=6))
        names.append("class unknown" if label < 0 else shown(class_names[label]))
    if len(present) > MOST_IN_LEGEND:
        handles.append(Line2D([], [], linestyle=""))
        names.append(f"and {len(present) - MOST_IN_LEGEND} more classes")
    legend = figure.legend(
        handles,
        [""] * len(names),
        loc="outside right upper",
        handletextpad=0.4,
        ncols=math.ceil(len(names) / 24),
        columnspacing=1.0,
        alignment="left",
    )
    for text, name in zip(legend.get_texts(), names):
        text.set_text(name)
