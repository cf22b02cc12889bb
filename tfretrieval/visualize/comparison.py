"""Plot of metrics by model and retriever."""

from collections.abc import Mapping
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tfretrieval.evaluation.result import Evaluation
from tfretrieval.visualize.theme import INK, MUTED, PALETTE, display_text, new_figure, themed

HEADLINE = ("precision_at_1", "map")
_HATCHES = ("", "///", "...", "xxx", "\\\\\\", "ooo")
_WIDTH = 0.8
_WHISKERS: dict[str, Any] = {"ecolor": INK, "capsize": 2.5, "elinewidth": 1.1}
_CHANCE: dict[str, Any] = {"color": MUTED, "linewidth": 1.2, "linestyle": (0, (1, 3))}


def plot_comparison(results: Mapping[str, Mapping[str, Evaluation]]) -> Figure:
    """Plot P@1 and mAP: a group of bars per model, a bar per index with its value and 95 % interval, and chance level.

    Args:
        results: model -> index name -> evaluation, whose provenance describes the `index`.
    """
    indexes = list(dict.fromkeys(e.provenance["index"] for by_index in results.values() for e in by_index.values()))
    chance = next(iter(next(iter(results.values())).values())).chance_precision
    with themed():
        height = 1.5 + len(results) * max(0.62, 0.3 * len(indexes) + 0.16)
        figure = new_figure(1.4 + 3.5 * len(HEADLINE), height, "Metrics by model and retriever, with 95 % intervals")
        for axes, metric in zip(figure.subplots(1, len(HEADLINE), sharey=True), HEADLINE):
            for y, by_index in enumerate(results.values()):
                for evaluation in by_index.values():
                    position = indexes.index(evaluation.provenance["index"])
                    offset = (position - (len(indexes) - 1) / 2) * _WIDTH / len(indexes)
                    _draw_bar(axes, y + offset, _WIDTH / len(indexes), evaluation, metric, _bar_style(position))
            _draw_frame(axes, metric, list(results))
            axes.axvline(chance, **_CHANCE)
        handles: list[Artist] = [Patch(label=display_text(name), **_bar_style(i)) for i, name in enumerate(indexes)]
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


def _draw_bar(
    axes: Axes, y: float, thickness: float, evaluation: Evaluation, metric: str, style: dict[str, Any]
) -> None:
    value = evaluation.metrics[metric]
    low, high = evaluation.intervals.get(metric, [value, value])
    xerr = [[max(value - low, 0)], [max(high - value, 0)]] if high > low else None
    bar = axes.barh(y, value, thickness * 0.88, xerr=xerr, error_kw=_WHISKERS, **style)
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
