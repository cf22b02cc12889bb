"""Plot of the confusion matrix of the nearest neighbor."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tfretrieval.evaluation.confusion import row_fractions
from tfretrieval.visualize.theme import BLUE, INK, MUTED, display_text, new_figure, themed

MAX_CLASSES = 30  # of a figure that shows all classes
N_MOST_CONFUSED = 25  # classes of a figure that does not
MAX_UPRIGHT = 3  # characters of a column name that is not rotated
WHITE_TEXT_ABOVE = 0.59  # share of the row; white has the higher contrast on the colors from there
OTHER = "other classes"
_WHITE_TO_BLUE = LinearSegmentedColormap.from_list("white to blue", ["#FFFFFF", "#9CC9E3", BLUE, "#003A5C"])


def plot_confusion(counts: np.ndarray, class_names: Sequence[str], title: str | None = None) -> Figure:
    """Plot a confusion matrix: each cell with its count and its share of the row, which is also its color.

    With more than 30 classes the plot shows the 25 that take part in most errors, and a column for all others.

    Args:
        counts: int [c, c], 0 or more; row = true class, column = class of the nearest neighbor.
        class_names: the c names.
        title: title; the accuracy over all classes is appended.
    """
    c = len(class_names)
    heading = f"{title or 'Confusion matrix'}: {_describe_accuracy(counts)}"
    fractions = row_fractions(counts)
    rows, columns, note = list(class_names), list(class_names), ""
    if c > MAX_CLASSES:
        chosen = most_confused(counts, N_MOST_CONFUSED)
        counts, fractions = _keep(counts, chosen), _keep(fractions, chosen)
        rows = [class_names[i] for i in chosen]
        columns, note = [*rows, OTHER], f"\nThe {N_MOST_CONFUSED} most confused of {c} classes."

    with themed():
        cell = 0.64 if len(rows) <= 10 else 0.54
        width, height = (max(n * cell, 3.0) for n in (len(columns), len(rows)))
        figure = new_figure(width + 2.6, height + 2.0, heading)
        axes = figure.subplots()
        image = axes.imshow(fractions, cmap=_WHITE_TO_BLUE, vmin=0, vmax=1)
        _write_cells(axes, counts, fractions)
        _write_names(axes, rows, columns)
        axes.set(
            xlabel=f"Class of the nearest neighbor\nCell: queries and share of the row.{note}", ylabel="True class"
        )
        bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=24, pad=0.02, label="Share of the row (true class)")
        bar.ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        bar.outline.set_visible(False)
    return figure


def most_confused(counts: np.ndarray, n: int) -> np.ndarray:
    """Return the n classes with most errors, as true class or as class of the nearest neighbor, in class order.

    >>> most_confused(np.array([[5, 0, 0], [0, 4, 1], [0, 2, 3]]), 2)
    array([1, 2])
    """
    errors = counts.sum(axis=0) + counts.sum(axis=1) - 2 * np.diag(counts)
    return np.sort(np.argsort(-errors, kind="stable")[:n])


def _describe_accuracy(counts: np.ndarray) -> str:
    n_correct, total = int(np.trace(counts)), int(counts.sum())
    return f"accuracy {n_correct / total:.3f} ({n_correct} of {total})" if total else "no queries"


def _keep(matrix: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Keep rows and columns of the chosen classes, and the sum of the other columns."""
    others = np.delete(matrix[chosen], chosen, axis=1).sum(axis=1)
    return np.column_stack([matrix[np.ix_(chosen, chosen)], others])


def _write_cells(axes: Axes, counts: np.ndarray, fractions: np.ndarray) -> None:
    for (row, column), count in np.ndenumerate(counts):
        axes.text(
            column,
            row,
            f"{int(count)}\n{fractions[row, column]:.1%}",
            ha="center",
            va="center",
            color=("white" if fractions[row, column] > WHITE_TEXT_ABOVE else INK) if count else "#6B747E",
            weight="bold" if row == column else "normal",
            fontsize=10 if len(counts) <= 10 else 9,
            linespacing=1.35,
        )


def _write_names(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    axes.grid(False)
    axes.spines[:].set_visible(False)
    row_names, column_names = ([display_text(name, 22) for name in names] for names in (rows, columns))
    is_rotated = max(map(len, column_names)) > MAX_UPRIGHT
    rotation: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if is_rotated else {}
    axes.set_xticks(range(len(columns)), column_names, fontsize=10.5, **rotation)
    axes.set_yticks(range(len(rows)), row_names, fontsize=10.5)
    axes.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
    axes.tick_params(which="both", length=0)
    axes.grid(True, which="minor", color="#D9DEE3", linewidth=0.6)
    for line in (axes.axhline, axes.axvline):
        line(-0.5, color=MUTED, linewidth=0.8)
