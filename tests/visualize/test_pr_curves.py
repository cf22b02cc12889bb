import numpy as np
import pytest
from matplotlib.colors import to_hex

from tfretrieval.errors import UserError
from tfretrieval.visualize.pr_curves import plot_pr_curves
from tfretrieval.visualize.theme import FAINT

FALLING = (np.array([1.0, 0.5, 2 / 3]), np.array([0.5, 0.5, 1.0]))


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def many(count):
    return {f"class {i:02}": (*FALLING, i / count) for i in range(count)}


def test_the_legend_is_sorted_by_ap_with_chance_last():
    curves = {"coast": (*FALLING, 0.2), "forest": (*FALLING, 0.9), "street": (*FALLING, 0.5)}
    figure = plot_pr_curves(curves, chance=0.125)
    assert legend_of(figure) == ["0.900  forest", "0.500  street", "0.200  coast", "0.125  chance"]


def test_a_curve_is_plotted_as_steps():
    line = plot_pr_curves({"coast": (*FALLING, 0.8)}).axes[0].lines[0]
    assert line.get_drawstyle() == "steps-pre"
    np.testing.assert_allclose(line.get_xydata(), [[0, 1], [0.5, 1], [0.5, 0.5], [1, 2 / 3]])


def test_the_area_under_the_steps_is_the_average_precision():
    relevant = np.array([1, 0, 1, 1, 0, 0, 1, 0])
    precision = np.cumsum(relevant) / np.arange(1, 9)
    recall = np.cumsum(relevant) / relevant.sum()
    ap = (precision * relevant).sum() / relevant.sum()
    x, y = plot_pr_curves({"a": (precision, recall, ap)}).axes[0].lines[0].get_data()
    assert (np.diff(x) * y[1:]).sum() == pytest.approx(ap)


def test_points_at_recall_zero_are_dropped():
    line = plot_pr_curves({"a": (np.array([0.0, 0.5]), np.array([0.0, 1.0]), 0.5)}).axes[0].lines[0]
    np.testing.assert_allclose(line.get_xydata(), [[0, 0.5], [1, 0.5]])


def test_class_styles_do_not_depend_on_rank():
    one = plot_pr_curves({"a": (*FALLING, 0.1), "b": (*FALLING, 0.9)}).axes[0].lines
    other = plot_pr_curves({"a": (*FALLING, 0.9), "b": (*FALLING, 0.1)}).axes[0].lines
    assert {(line.get_label()[7:], line.get_color()) for line in one} == {
        (line.get_label()[7:], line.get_color()) for line in other
    }


def test_twenty_classes_are_all_colored():
    figure = plot_pr_curves(many(20))
    assert len(legend_of(figure)) == 20
    assert FAINT.lower() not in {to_hex(line.get_color()) for line in figure.axes[0].lines}


def test_of_many_classes_only_the_best_and_worst_are_colored():
    figure = plot_pr_curves(many(50))
    labels = legend_of(figure)
    assert labels[:4] == ["0.980  class 49", "0.960  class 48", "0.940  class 47", "42 classes between"]
    assert [label[7:] for label in labels[4:]] == [f"class {i:02}" for i in (4, 3, 2, 1, 0)]
    drawn = [line for line in figure.axes[0].lines if len(line.get_xdata())]
    assert len(drawn) == 50
    assert sum(to_hex(line.get_color()) == FAINT.lower() for line in drawn) == 42


def test_a_class_without_relevant_items_is_last():
    figure = plot_pr_curves({"none": (np.zeros(2), np.zeros(2), np.nan), "some": (*FALLING, 0.0)})
    assert legend_of(figure) == ["0.000  some", "  n/a  none"]


def test_a_curve_without_points_is_in_the_legend():
    figure = plot_pr_curves({"some": (*FALLING, 0.5), "lost": (np.empty(0), np.empty(0), 0.0)})
    assert legend_of(figure) == ["0.500  some", "0.000  lost"]


def test_no_curves_raise():
    with pytest.raises(UserError, match="no precision-recall curve"):
        plot_pr_curves({})
