import math

import pytest

from tfretrieval.errors import UserError
from tfretrieval.visualize.comparison import ComparisonRow, plot_comparison

ROWS = [
    ComparisonRow("resnet", "knn", {"precision_at_1": 0.9, "map": 0.8}, {"map": (0.7, 0.85)}),
    ComparisonRow("resnet", "faiss", {"precision_at_1": 0.91, "map": 0.81}),
    ComparisonRow("triplet", "knn", {"precision_at_1": 0.5, "map": 0.4}),
    ComparisonRow("triplet", "faiss", {"precision_at_1": math.nan}),
]


def bars(axes):
    return sorted((round(bar.get_y(), 3), round(bar.get_width(), 3)) for bar in axes.patches)


def test_one_panel_per_metric_and_one_labelled_bar_per_row():
    precision, average = plot_comparison(ROWS).axes
    assert (precision.get_title(loc="left"), average.get_title(loc="left")) == ("P@1", "mAP")
    assert [width for _, width in bars(precision)] == [0.9, 0.91, 0.5]
    assert [text.get_text() for text in average.texts] == ["0.800", "0.810", "0.400"]


def test_bars_are_grouped_by_model():
    axes = plot_comparison(ROWS).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["resnet", "triplet"]
    assert all(-0.5 < y < 0.5 for y, width in bars(axes) if width > 0.8)


def test_error_bars_span_the_interval():
    (whiskers,) = plot_comparison(ROWS).axes[1].collections
    assert [segment[:, 0].tolist() for segment in whiskers.get_segments()] == [
        [pytest.approx(0.7), pytest.approx(0.85)]
    ]


def test_retrievers_differ_by_hatch_and_chance_is_in_the_legend():
    figure = plot_comparison(ROWS, chance=0.127)
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["knn", "faiss", "chance 0.127"]
    assert len({patch.get_hatch() for patch in legend.get_patches()}) == 2
    assert all(0.127 in axes.lines[-1].get_xdata() for axes in figure.axes)


@pytest.mark.parametrize(
    ("rows", "metrics", "said"),
    [
        ([], ["map"], "at least one"),
        (ROWS, [], "at least one"),
        (ROWS, ["mrr"], "'mrr'"),
        (ROWS + ROWS[:1], ["map"], "repeat"),
    ],
)
def test_invalid_comparisons_raise(rows, metrics, said):
    with pytest.raises(UserError, match=said):
        plot_comparison(rows, metrics)
