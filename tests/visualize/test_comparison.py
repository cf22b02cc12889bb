from types import SimpleNamespace

import pytest

from tfretrieval.visualize.comparison import plot_comparison


def evaluation(index, precision, average, **intervals):
    return SimpleNamespace(
        provenance={"index": index},
        metrics={"precision_at_1": precision, "map": average},
        intervals=intervals,
        chance_precision=0.127,
    )


RESULTS = {
    "resnet": {"knn": evaluation("KNN", 0.9, 0.8, map=[0.7, 0.85]), "faiss": evaluation("FAISS", 0.91, 0.81)},
    "triplet": {"knn": evaluation("KNN", 0.5, 0.4)},
}


def bars(axes):
    return sorted((round(bar.get_y(), 3), round(bar.get_width(), 3)) for bar in axes.patches)


def test_one_panel_per_metric_and_one_labeled_bar_per_evaluation():
    precision, average = plot_comparison(RESULTS).axes
    assert (precision.get_title(loc="left"), average.get_title(loc="left")) == ("P@1", "mAP")
    assert [width for _, width in bars(precision)] == [0.9, 0.91, 0.5]
    assert [text.get_text() for text in average.texts] == ["0.800", "0.810", "0.400"]


def test_bars_are_grouped_by_model():
    axes = plot_comparison(RESULTS).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["resnet", "triplet"]
    assert all(-0.5 < y < 0.5 for y, width in bars(axes) if width > 0.8)


def test_error_bars_span_the_interval():
    (whiskers,) = plot_comparison(RESULTS).axes[1].collections
    assert [segment[:, 0].tolist() for segment in whiskers.get_segments()] == [
        [pytest.approx(0.7), pytest.approx(0.85)]
    ]


def test_retrievers_differ_by_hatch_and_chance_is_in_the_legend():
    figure = plot_comparison(RESULTS)
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["KNN", "FAISS", "chance 0.127"]
    assert len({patch.get_hatch() for patch in legend.get_patches()}) == 2
    assert all(0.127 in axes.lines[-1].get_xdata() for axes in figure.axes)
