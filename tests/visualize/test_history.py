import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.visualize.history import plot_history
from tfretrieval.visualize.theme import save_figure

FULL = [
    {"epoch": 1, "loss": 0.9, "val_loss": 0.8, "val_map": 0.3, "val_precision_at_1": 0.5},
    {"epoch": 2, "loss": 0.5, "val_loss": 0.4, "val_map": 0.7, "val_precision_at_1": 0.6},
    {"epoch": 3, "loss": 0.3, "val_loss": 0.3, "val_map": 0.6, "val_precision_at_1": 0.9},
]


def lines(axes):
    return {line.get_label(): line.get_ydata() for line in axes.lines}


def without(*columns):
    return [{name: value for name, value in row.items() if name not in columns} for row in FULL]


def test_losses_and_validation_metrics_have_their_own_panels():
    left, right = plot_history(FULL).axes
    assert list(lines(left)) == ["training", "validation", "best epoch, 2"]
    assert list(lines(right)) == ["mAP", "P@1", "best epoch, 2"]
    np.testing.assert_array_equal(lines(left)["training"], [0.9, 0.5, 0.3])
    np.testing.assert_array_equal(lines(right)["P@1"], [0.5, 0.6, 0.9])


def test_the_best_epoch_is_that_of_the_monitor():
    for axes in plot_history(FULL, "val_precision_at_1").axes:
        assert axes.lines[-1].get_label() == "best epoch, 3"
        assert set(axes.lines[-1].get_xdata()) == {3}


def test_without_the_monitor_no_epoch_is_marked():
    (axes,) = plot_history(without("val_loss", "val_map", "val_precision_at_1")).axes
    assert list(lines(axes)) == ["training"]


def test_missing_values_leave_gaps():
    history = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "val_map": 0.25}]
    left, right = plot_history(history).axes
    np.testing.assert_array_equal(left.lines[0].get_xydata(), [[1, 0.5]])
    np.testing.assert_array_equal(right.lines[0].get_xydata(), [[2, 0.25]])


def test_a_single_epoch_has_a_single_tick(tmp_path):
    figure = plot_history([{"epoch": 1, "loss": 0.5}])
    save_figure(figure, tmp_path / "a.png")
    low, high = figure.axes[0].get_xlim()
    assert [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high] == [1]


@pytest.mark.parametrize("history", [[], [{"epoch": 1}], [{"epoch": 1, "loss": float("nan")}]])
def test_an_empty_history_raises(history):
    with pytest.raises(UserError, match="history"):
        plot_history(history)
