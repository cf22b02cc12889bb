"""Plot of a training history."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tfretrieval.errors import UserError
from tfretrieval.training.history import best_epoch
from tfretrieval.visualize.theme import BLUE, GREEN, MUTED, ORANGE, VERMILLION, new_figure, themed

Style = tuple[str, str, Any, str]  # label, color, line style, marker

_LOSSES: dict[str, Style] = {
    "loss": ("training", BLUE, "-", "o"),
    "val_loss": ("validation", VERMILLION, (0, (5, 1.6)), "s"),
}
_SCORES: dict[str, Style] = {
    "val_map": ("mAP", GREEN, "-", "o"),
    "val_precision_at_1": ("P@1", ORANGE, (0, (5, 1.6)), "s"),
}


def plot_history(history: list[dict[str, float]], monitor: str = "val_map", title: str | None = None) -> Figure:
    """Plot the loss and, where measured, the validation metrics by epoch, with the best epoch marked.

    Args:
        history: one row per epoch with `epoch` and any of `loss`, `val_loss`, `val_map`, `val_precision_at_1`, as
            `read_history` returns them; a missing or infinite value leaves a gap.
        monitor: the metric whose highest value marks the best epoch.
        title: title.

    Raises:
        UserError: the history is empty or has none of these columns.
    """
    columns = {name: _column(history, name) for name in ("epoch", *_LOSSES, *_SCORES)}
    losses = {name: style for name, style in _LOSSES.items() if np.isfinite(columns[name]).any()}
    scores = {name: style for name, style in _SCORES.items() if np.isfinite(columns[name]).any()}
    if not losses and not scores:
        raise UserError("the training history has no epoch with a loss or a validation metric")
    epochs, best = columns["epoch"], best_epoch(history, monitor)

    with themed():
        panels = [panel for panel in ((losses, "Loss"), (scores, "Validation metrics")) if panel[0]]
        figure = new_figure(4.3 * len(panels) + 0.5, 3.7, title or "Training")
        for axes, (series, name) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels):
            for column, style in series.items():
                _draw(axes, epochs, columns[column], style)
            axes.set(title=name, xlabel="Epoch")
            axes.set_xlim(epochs.min() - 0.5, epochs.max() + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            if series is scores:
                axes.set_ylim(max(0.0, axes.get_ylim()[0]), min(1.02, axes.get_ylim()[1]))
            if best and monitor in best:
                label = f"best epoch, {best['epoch']:g}"
                axes.axvline(best["epoch"], color=MUTED, linewidth=1.1, linestyle=(0, (1, 2)), label=label)
            axes.legend(loc="best")
    return figure


def _column(history: list[dict[str, float]], name: str) -> np.ndarray:
    return np.array([row.get(name, math.nan) for row in history], float)


def _draw(axes: Axes, epochs: np.ndarray, values: np.ndarray, style: Style) -> None:
    label, color, linestyle, marker = style
    known = np.isfinite(values)
    axes.plot(
        epochs[known],
        values[known],
        color=color,
        linestyle=linestyle,
        marker=marker if known.sum() <= 40 else None,
        markersize=4,
        label=label,
    )
