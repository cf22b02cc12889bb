"""Plot of precision-recall curves by class."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from tfretrieval.errors import UserError
from tfretrieval.evaluation.curves import Curve
from tfretrieval.visualize.theme import FAINT, MUTED, class_style, display_text, new_figure, themed

MAX_COLORED = 20
N_BEST, N_WORST = 3, 5


def plot_pr_curves(curves: Mapping[str, Curve], chance: float | None = None, title: str | None = None) -> Figure:
    """Plot the precision-recall curve of each class as steps, with a legend sorted by average precision (AP).

    With more than 20 classes, the best three and the worst five are colored and the others gray.

    Args:
        curves: class name -> (precision [m], recall [m], AP), all in 0..1, in the order of recall; the AP of a class
            without relevant items is NaN.
        chance: precision of a random ranking, drawn as a line.
        title: title.

    Raises:
        UserError: there is no curve.
    """
    if not curves:
        raise UserError("no precision-recall curve to plot: no class has queries")
    steps = {name: _steps(*curve[:2]) for name, curve in curves.items()}
    ranked = sorted(curves, key=lambda name: -1.0 if math.isnan(curves[name][2]) else curves[name][2], reverse=True)
    colored = ranked if len(ranked) <= MAX_COLORED else ranked[:N_BEST] + ranked[-N_WORST:]
    style_of = {name: class_style(i) for i, name in enumerate(curves if colored is ranked else colored)}

    with themed():
        figure = new_figure(7.4, max(4.6, 1.2 + 0.26 * len(colored)), title or "Precision-recall by class")
        axes = figure.subplots()
        for name in ranked:
            if name in colored:
                style = style_of[name]
                label = f"{_format_ap(curves[name][2])}  {display_text(name)}"
                axes.step(*steps[name], where="pre", color=style.color, linestyle=style.linestyle, label=label)
            else:
                between = f"{len(ranked) - len(colored)} classes between" if name == ranked[N_BEST] else None
                axes.step(*steps[name], where="pre", color=FAINT, linewidth=0.8, zorder=1.5, label=between)
        if chance is not None:
            axes.axhline(chance, color=MUTED, linewidth=1.2, linestyle=(0, (1, 3)), label=f"{chance:.3f}  chance")
        axes.set(xlim=(0, 1.005), ylim=(0, 1.02), xlabel="Recall", ylabel="Precision")
        figure.legend(
            loc="outside right upper", title="AP by class", alignment="left", handlelength=3.2, labelspacing=0.45
        )
    return figure


def _steps(precision: np.ndarray, recall: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision at the ends of each step."""
    is_positive = recall > 0
    if not is_positive.any():
        return recall, precision
    return np.r_[0.0, recall[is_positive]], np.r_[precision[is_positive][0], precision[is_positive]]


def _format_ap(ap: float) -> str:
    return "  n/a" if math.isnan(ap) else f"{ap:.3f}"
