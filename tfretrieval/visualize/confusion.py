"""The confusion matrix: which class the nearest neighbor belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tfretrieval.errors import UserError
from tfretrieval.visualize.theme import BLUE, INK, MUTED, look, new_figure, shown

MOST_WITH_TEXT = 25
MOST_WITH_NAMES = 60
SHORT_NAME = 3  # characters that stand upright below a column
_WHITE_TO_BLUE = LinearSegmentedColormap.from_list("white to blue", ["#FFFFFF", "#9CC9E3", BLUE, "#003A5C"])


def plot_confusion(counts: np.ndarray, class_names: Sequence[str], title: str | None = None) -> Figure:
    """Draw a confusion matrix: each cell with its count and its share of all queries, the accuracy on top.

    The color is the share of the row, that is of the queries of the true class. Over 25 classes the cells
    hold no text, over 60 the classes are numbered and not named.

    Args:
        counts: int [c, c], 0 or more; row = true class, column = class of the nearest neighbor.
        class_names: the c names.
        title: heading.

    Raises:
        UserError: `counts` is not square, is negative, or differs from the names in number.
    """
    counts = np.asarray(counts)
    c = len(class_names)
    if counts.shape != (c, c) or not c:
        raise UserError(f"a confusion matrix of {c} classes needs counts of shape {(c, c)}, not {counts.shape}")
    if counts.min() < 0:
        raise UserError("a confusion matrix holds counts of 0 or more")
    total = int(counts.sum())
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)

    with look():
        cell = 0.64 if c <= 10 else 0.6 if c <= MOST_WITH_TEXT else 0.2
        side = min(max(c * cell, 3.0), 22.0)
        figure = new_figure(side + 2.6, side + 2.0, _heading(title, counts, total))
        axes = figure.subplots()
        image = axes.imshow(shares, cmap=_WHITE_TO_BLUE, vmin=0, vmax=1)
        if c <= MOST_WITH_TEXT:
            _write_cells(axes, counts, shares, total)
        _name_classes(axes, class_names)
        bar = figure.colorbar(
            image, ax=axes, shrink=0.6, aspect=24, pad=0.02, label="Share of the true class's queries"
        )
        bar.ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        bar.outline.set_visible(False)
    return figure


def _heading(title: str | None, counts: np.ndarray, total: int) -> str:
    right = int(np.trace(counts))
    accuracy = f"accuracy {right / total:.3f} ({right} of {total} queries)" if total else "no queries"
    return f"{title or 'Confusion of the nearest neighbor'}: {accuracy}"


def _write_cells(axes: Axes, counts: np.ndarray, shares: np.ndarray, total: int) -> None:
    for (row, column), count in np.ndenumerate(counts):
        color = _readable_on(shares[row, column]) if count else "#6B747E"
        weight = "bold" if row == column else "normal"
        text = f"{int(count)}\n{count / max(total, 1):.1%}"
        axes.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            color=color,
            weight=weight,
            fontsize=10 if len(counts) <= 10 else 9,
            linespacing=1.35,
        )


def _readable_on(share: float) -> str:
    """The text color with the greater contrast to the cell, by relative luminance (WCAG 2)."""
    rgb = np.array(_WHITE_TO_BLUE(share)[:3])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return "white" if linear @ (0.2126, 0.7152, 0.0722) < 0.18 else INK


def _name_classes(axes: Axes, class_names: Sequence[str]) -> None:
    c = len(class_names)
    key = "\nIn a cell: queries, and their share of all." if c <= MOST_WITH_TEXT else ""
    axes.set(xlabel=f"Class of the nearest neighbor{key}", ylabel="True class")
    axes.grid(False)
    axes.spines[:].set_visible(False)
    if c > MOST_WITH_NAMES:
        return
    names = [shown(name, 22) for name in class_names]
    size = 10.5 if c <= MOST_WITH_TEXT else 8.0
    if max(map(len, names)) <= SHORT_NAME:
        axes.set_xticks(range(c), names, fontsize=size)
    else:
        axes.set_xticks(range(c), names, rotation=40, ha="right", rotation_mode="anchor", fontsize=size)
    axes.set_yticks(range(c), names, fontsize=size)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(c + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(c + 1) - 0.5, minor=True)
    axes.tick_params(which="minor", length=0)
    axes.grid(True, which="minor", color="#D9DEE3" if c <= MOST_WITH_TEXT else "#EEF0F2", linewidth=0.6)
    for line in (axes.axhline, axes.axvline):
        line(-0.5, color=MUTED, linewidth=0.8)
