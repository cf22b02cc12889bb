"""Plot of queries with their nearest neighbors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfretrieval.visualize.theme import CORRECT, INK, MUTED, WRONG, display_text, hide_axes, new_figure, themed

CELL = 1.35  # inches
FONT_SIZE = 10.5
MAX_LENGTH = 17  # characters of a line below an image

Role = Literal["query", "correct", "wrong", "unknown"]

_SIGNS = {"correct": "✓ ", "wrong": "✗ "}
_FRAMES: dict[Role, dict[str, Any]] = {
    "query": {"color": INK, "linestyle": "-", "linewidth": 1.2},
    "correct": {"color": CORRECT, "linestyle": "-", "linewidth": 3.0},
    "wrong": {"color": WRONG, "linestyle": (0, (2, 1.3)), "linewidth": 3.0},
    "unknown": {"color": MUTED, "linestyle": "-", "linewidth": 1.0},
}


@dataclass(frozen=True, eq=False)
class LabeledImage:
    """A small image with a label below.

    Attributes:
        pixels: uint8 [h, w, 3], RGB.
        label: class of the image, "" if unknown.
        note: second line.
        role: "query"; of its neighbors "correct" with the query's class, "wrong" with another, else "unknown". Shown by
            sign, frame and color.
        name: alternative text; the label by default.
    """

    pixels: np.ndarray
    label: str
    note: str = ""
    role: Role = "unknown"
    name: str = ""


@dataclass(frozen=True)
class ImageRow:
    """Images side by side, such as a query and its neighbors, nearest first.

    Attributes:
        images: the images.
        heading: heading of the row, in a list of rows.
        note: text below the heading.
    """

    images: Sequence[LabeledImage]
    heading: str = ""
    note: str = ""


def plot_neighbors(rows: Sequence[ImageRow], title: str | None = None) -> Figure:
    """Plot one row per query: the query, then its neighbors with class and distance.

    A neighbor of the query's class has a solid blue frame and a tick, another a dashed vermillion frame and a cross.
    If the class of either is unknown, there is neither.

    Args:
        rows: at least one; each with the query and up to k neighbors, whose notes are their distances.
        title: title.
    """
    k = max(len(row.images) for row in rows) - 1
    with themed():
        width, height = max(CELL * (k + 1) + 0.5, 5.0), (CELL + 0.54) * len(rows) + 0.85
        figure = new_figure(width, height, title or "Nearest neighbors")
        grid = figure.subplots(len(rows), k + 2, squeeze=False, width_ratios=[1, 0.1, *[1] * k])
        for axes in grid.flat:
            hide_axes(axes)
        for (query_axes, _, *neighbor_axes), row in zip(grid, rows):
            for axes, image in zip([query_axes, *neighbor_axes], row.images):
                _draw_image(axes, image)
        grid[0, 0].set_title("Query", fontsize=FONT_SIZE)
        for rank, axes in enumerate(grid[0, 2:], start=1):
            axes.set_title(f"{rank}", fontsize=FONT_SIZE, color=MUTED)
        legend = "below each: class, distance"
        if any(image.role in _SIGNS for row in rows for image in row.images):
            legend = f"✓ same class; ✗ other class; {legend}"
        figure.supxlabel(legend, x=0.01, ha="left", fontsize=FONT_SIZE, color=MUTED)
    return figure


def _draw_image(axes: Axes, image: LabeledImage) -> None:
    axes.imshow(image.pixels)
    axes.set_anchor("N")
    frame = _FRAMES[image.role]
    axes.spines[:].set(visible=True, **frame)
    lines = [f"{_SIGNS.get(image.role, '')}{image.label or 'class unknown'}", image.note]
    text = "\n".join(display_text(line, MAX_LENGTH) for line in lines if line)
    weight = "bold" if image.role == "query" else "normal"
    axes.set_xlabel(text, fontsize=FONT_SIZE, color=frame["color"], weight=weight, labelpad=4)
