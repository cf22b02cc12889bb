"""Plot of queries with their nearest neighbors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfretrieval.errors import UserError
from tfretrieval.visualize.theme import CORRECT, INK, MUTED, WRONG, display_text, hide_axes, new_figure, themed

CELL = 1.35  # inches
FONT_SIZE = 10.5


@dataclass(frozen=True, eq=False)
class NeighborPanel:
    """A query and its k nearest neighbors, nearest first.

    Attributes:
        query_image: uint8 [h, w, 3] (RGB) or [h, w] (gray).
        query_label: class of the query, "" if unknown.
        neighbor_images: k arrays like `query_image`; sizes may differ.
        neighbor_labels: their classes, "" if unknown.
        distances: their distances to the query.
        note: second line below the query.

    Raises:
        UserError: the three lists differ in length.
    """

    query_image: np.ndarray
    query_label: str
    neighbor_images: Sequence[np.ndarray] = field(default_factory=list)
    neighbor_labels: Sequence[str] = field(default_factory=list)
    distances: Sequence[float] = field(default_factory=list)
    note: str = ""

    def __post_init__(self) -> None:
        lengths = [len(self.neighbor_images), len(self.neighbor_labels), len(self.distances)]
        if len(set(lengths)) > 1:
            raise UserError(
                "neighbor images, labels and distances must have the same length, not {}, {} and {}".format(*lengths)
            )


def plot_neighbors(panels: Sequence[NeighborPanel], title: str | None = None) -> Figure:
    """Plot one row per query: the query, then its neighbors with class and distance.

    A neighbor of the query's class has a solid blue frame and a tick, another a dashed vermillion frame and a cross.
    If the class of either is unknown, there is neither.

    Raises:
        UserError: there is no panel, or an image is not [h, w], [h, w, 1] or [h, w, 3].
    """
    if not panels:
        raise UserError("no query to plot; give at least one")
    k = max(len(panel.neighbor_images) for panel in panels)
    with themed():
        width, height = max(CELL * (k + 1) + 0.5, 5.0), (CELL + 0.54) * len(panels) + 0.85
        figure = new_figure(width, height, title or "Nearest neighbors")
        grid = figure.subplots(len(panels), k + 2, squeeze=False, width_ratios=[1, 0.1, *[1] * k])
        for axes in grid.flat:
            hide_axes(axes)
        for row, panel in zip(grid, panels):
            _draw_query(row[0], panel)
            for column in range(len(panel.neighbor_images)):
                _draw_neighbor(row[column + 2], panel, column)
        grid[0, 0].set_title("Query", fontsize=FONT_SIZE)
        for rank, axes in enumerate(grid[0, 2:], start=1):
            axes.set_title(f"{rank}", fontsize=FONT_SIZE, color=MUTED)
        legend = "below each: class, distance"
        if any(panel.query_label for panel in panels):
            legend = f"✓ same class; ✗ other class; {legend}"
        figure.supxlabel(legend, x=0.01, ha="left", fontsize=FONT_SIZE, color=MUTED)
    return figure


def _draw_query(axes: Axes, panel: NeighborPanel) -> None:
    _draw_image(axes, panel.query_image)
    _draw_frame(axes, INK, "-", 1.2)
    lines = [display_text(text, 17) for text in (panel.query_label, panel.note) if text]
    axes.set_xlabel("\n".join(lines) or "class unknown", fontsize=FONT_SIZE, weight="bold", labelpad=4)


def _draw_neighbor(axes: Axes, panel: NeighborPanel, column: int) -> None:
    label = panel.neighbor_labels[column]
    _draw_image(axes, panel.neighbor_images[column])
    text = f"{display_text(label, 15) or 'class unknown'}\n{panel.distances[column]:.3f}"
    color = MUTED
    if not panel.query_label or not label:
        _draw_frame(axes, MUTED, "-", 1.0)
    elif label == panel.query_label:
        color, text = CORRECT, f"✓ {text}"
        _draw_frame(axes, CORRECT, "-", 3.0)
    else:
        color, text = WRONG, f"✗ {text}"
        _draw_frame(axes, WRONG, (0, (2, 1.3)), 3.0)
    axes.set_xlabel(text, fontsize=FONT_SIZE, color=color, labelpad=4)


def _draw_image(axes: Axes, image: np.ndarray) -> None:
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise UserError(f"an image must have the shape [h, w, 3] or [h, w], not {list(image.shape)}")
    axes.imshow(image, cmap="gray", vmin=0, vmax=255)
    h, w = image.shape[:2]
    margin_x, margin_y = max(h - w, 0) / 2, max(w - h, 0) / 2
    axes.set(xlim=(-0.5 - margin_x, w - 0.5 + margin_x), ylim=(h - 0.5 + margin_y, -0.5 - margin_y), anchor="N")


def _draw_frame(axes: Axes, color: str, linestyle: str | tuple[int, tuple[float, ...]], width: float) -> None:
    for spine in axes.spines.values():
        spine.set(visible=True, color=color, linestyle=linestyle, linewidth=width)
