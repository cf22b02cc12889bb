"""Plot of metrics by model and retriever."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tfretrieval.errors import UserError
from tfretrieval.visualize.theme import INK, MUTED, PALETTE, display_text, new_figure, themed

HEADLINE = ("precision_at_1", "map")
_HATCHES = ("", "///", "...", "xxx", "\\\\\\", "ooo")
_WIDTH = 0.8
_WHISKERS: dict[str, Any] = {"ecolor": INK, "capsize": 2.5, "elinewidth": 1.1}
_CHANCE: dict[str, Any] = {"color": MUTED, "linewidth": 1.2, "linestyle": (0, (1, 3))}


@dataclass(frozen=True)
class ComparisonRow:
    """Metrics of one model with one retriever.

    Attributes:
        model: name of the model.
        retriever: name of the retriever.
        values: metric -> value in 0..1.
        intervals: metric -> (low, high), the 95 % interval; optional for each metric.
    """

    model: str
    retriever: str
    values: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def plot_comparison(
    rows: Sequence[ComparisonRow],
    metrics: Sequence[str] = HEADLINE,
    chance: float | None = None,
    title: str | None = None,
) -> Figure:
    """Plot one panel per metric, with a group of bars per model and a bar per retriever.

    Each bar has its value and 95 % interval.

    Args:
        rows: one per model and retriever, in order of appearance.
        metrics: metric names, such as "precision_at_1"; rows may lack some.
        chance: level of a random ranking, drawn as a line.
        title: title.

    Raises:
        UserError: there are no rows or metrics, a model and retriever repeat, or no row has one of the metrics.
    """
    if not rows or not metrics:
        raise UserError("a comparison needs at least one row and one metric")
    if len({(row.model, row.retriever) for row in rows}) != len(rows):
        raise UserError("a comparison must not repeat a model and retriever")
    for metric in metrics:
        if not any(metric in row.values for row in rows):
            raise UserError(f"no row of the comparison has the metric {metric!r}")
    models = list(dict.fromkeys(row.model for row in rows))
    retrievers = list(dict.fromkeys(row.retriever for row in rows))

    with themed():
        height = 1.5 + len(models) * max(0.62, 0.3 * len(retrievers) + 0.16)
        figure = new_figure(
            1.4 + 3.5 * len(metrics), height, title or "Metrics by model and retriever, with 95 % intervals"
        )
        grid = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
        for axes, metric in zip(grid, metrics):
            _draw_bars(axes, rows, metric, models, retrievers)
            _draw_frame(axes, metric, models)
            if chance is not None:
                axes.axvline(chance, **_CHANCE)
        handles: list[Artist] = [Patch(label=display_text(name), **_bar_style(i)) for i, name in enumerate(retrievers)]
        if chance is not None:
            handles.append(Line2D([], [], **_CHANCE, label=f"chance {chance:.3f}"))
        figure.legend(handles=handles, loc="outside lower left", ncols=5)
    return figure


def short_name(metric: str) -> str:
    """Return the name of a metric in plots and tables.

    >>> short_name("precision_at_1"), short_name("map"), short_name("map_at_r"), short_name("hit_rate_at_10")
    ('P@1', 'mAP', 'mAP@R', 'hit rate@10')
    """
    name, _, k = metric.partition("_at_")
    known = {"precision": "P", "map": "mAP", "r_precision": "R-precision", "mrr": "MRR", "ndcg": "nDCG"}
    name = known.get(name, name.replace("_", " "))
    return f"{name}@{k.upper()}" if k else name


def _draw_bars(
    axes: Axes, rows: Sequence[ComparisonRow], metric: str, models: list[str], retrievers: list[str]
) -> None:
    thickness = _WIDTH / len(retrievers)
    for row in rows:
        value = row.values.get(metric, math.nan)
        if not math.isfinite(value):
            continue
        position = retrievers.index(row.retriever)
        y = models.index(row.model) + (position - (len(retrievers) - 1) / 2) * thickness
        low, high = row.intervals.get(metric, (value, value))
        xerr = [[max(value - low, 0)], [max(high - value, 0)]] if high > low else None
        bar = axes.barh(y, value, thickness * 0.88, xerr=xerr, error_kw=_WHISKERS, **_bar_style(position))
        axes.bar_label(bar, fmt="%.3f", padding=4, fontsize=10.5)


def _draw_frame(axes: Axes, metric: str, models: list[str]) -> None:
    axes.set_title(short_name(metric))
    axes.set_xlim(0, 1.24)
    axes.spines["bottom"].set_bounds(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_yticks(range(len(models)), [display_text(model, 26) for model in models])
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.grid(False, axis="y")
    axes.tick_params(axis="y", length=0)


def _bar_style(position: int) -> dict[str, Any]:
    return {
        "facecolor": PALETTE[(0, 4, 5, 3, 2, 1)[position % 6]],
        "hatch": _HATCHES[position % len(_HATCHES)],
        "edgecolor": "white",
    }
