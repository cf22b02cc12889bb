"""Precision against recall, a curve a class."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tfretrieval.errors import UserError
from tfretrieval.visualize.theme import FAINT, MUTED, class_style, look, new_figure, shown

MOST_IN_COLOR = 20
BEST_SHOWN, WORST_SHOWN = 3, 5

Curve = tuple[np.ndarray, np.ndarray, float]


def plot_pr_curves(curves: Mapping[str, Curve], chance: float | None = None, title: str | None = None) -> Figure:
    """Draw the precision-recall curve of each class as steps, the legend sorted by average precision.

    With more than 20 classes the best three and the worst five are colored and the others gray.

    Args:
        curves: class name -> (precision [m], recall [m], AP), all in 0..1; points in the order of rising or
            of falling recall; an AP of NaN is a class without relevant items.
        chance: precision of a random ranking, drawn as a line.
        title: heading.

    Raises:
        UserError: there is no curve, or the arrays of one differ in length or hold a value outside 0..1.
    """
    if not curves:
        raise UserError("there is no precision-recall curve to draw: no class has queries")
    steps = {name: _corners(name, *curve[:2]) for name, curve in curves.items()}
    ranked = sorted(curves, key=lambda name: _sortable(curves[name][2]), reverse=True)
    colored = ranked if len(ranked) <= MOST_IN_COLOR else ranked[:BEST_SHOWN] + ranked[-WORST_SHOWN:]
    style_of = {name: class_style(i) for i, name in enumerate(curves if colored is ranked else colored)}

    with look():
        figure = new_figure(7.4, max(4.6, 1.2 + 0.26 * len(colored)), title or "Precision and recall by class")
        axes = figure.subplots()
        for name in ranked:
            if name not in colored:
                axes.step(*steps[name], where="pre", color=FAINT, linewidth=0.8, zorder=1.5)
        for name in ranked:
            if name in colored:
                how = style_of[name]
                label = f"{_number(curves[name][2])}  {shown(name)}"
                axes.step(*steps[name], where="pre", color=how.color, linestyle=how.linestyle, label=label)
            elif name == ranked[BEST_SHOWN]:
                axes.plot([], [], color=FAINT, label=f"{len(ranked) - len(colored)} classes between")
        if chance is not None:
            axes.axhline(chance, color=MUTED, linewidth=1.2, linestyle=(0, (1, 3)), label=f"{chance:.3f}  chance")
        _frame(axes)
        figure.legend(
            loc="outside right upper",
            title="AP by class",
            alignment="left",
            handlelength=3.2,
            labelspacing=0.45,
        )
    return figure


def _corners(name: str, precision: np.ndarray, recall: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    precision, recall = np.asarray(precision, float), np.asarray(recall, float)
    if precision.ndim != 1 or precision.shape != recall.shape or not len(recall):
        raise UserError(
            f"the curve of {name!r} needs precision and recall of one length, not {precision.shape} and {recall.shape}"
        )
    both = np.concatenate([precision, recall])
    if not (np.isfinite(both).all() and both.min() >= 0 and both.max() <= 1 + 1e-9):
        raise UserError(f"the curve of {name!r} has a precision or recall outside 0..1")
    if recall[0] > recall[-1]:
        precision, recall = precision[::-1], recall[::-1]
    changes = np.diff(recall) != 0
    first_or_last = np.concatenate([[True], changes]) | np.concatenate([changes, [True]])
    precision, recall = precision[first_or_last], recall[first_or_last]
    beyond = recall > 0
    if not beyond.any():
        return recall, precision
    return np.r_[0.0, recall[beyond]], np.r_[precision[beyond][0], precision[beyond]]


def _frame(axes: Axes) -> None:
    axes.set(xlim=(0, 1.005), ylim=(0, 1.02), xlabel="Recall", ylabel="Precision")


def _sortable(ap: float) -> float:
    return -1.0 if math.isnan(ap) else float(ap)


def _number(ap: float) -> str:
    return "  n/a" if math.isnan(ap) else f"{ap:.3f}"
