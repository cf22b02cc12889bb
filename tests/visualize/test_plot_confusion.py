import numpy as np
import pytest
from matplotlib.colors import to_rgb

from tfretrieval.errors import UserError
from tfretrieval.visualize.confusion import plot_confusion

COUNTS = np.array([[3, 1], [0, 4]])


def cells(figure):
    return {text.get_position(): text for text in figure.axes[0].texts}


def luminance(rgb):
    rgb = np.asarray(rgb[:3])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)


def test_each_cell_has_its_count_and_its_share_of_all_queries_at_column_and_row():
    texts = {at: text.get_text() for at, text in cells(plot_confusion(COUNTS, ["a", "b"])).items()}
    assert texts == {(0, 0): "3\n37.5%", (1, 0): "1\n12.5%", (0, 1): "0\n0.0%", (1, 1): "4\n50.0%"}


def test_the_color_is_the_share_of_the_row():
    drawn = plot_confusion(COUNTS, ["a", "b"]).axes[0].images[0].get_array()
    np.testing.assert_allclose(drawn, [[0.75, 0.25], [0, 1]])


def test_the_heading_has_the_accuracy():
    heading = plot_confusion(COUNTS, ["a", "b"], "resnet").get_suptitle().replace("\n", " ")
    assert heading == "resnet: accuracy 0.875 (7 of 8 queries)"


def test_rows_are_the_true_classes():
    axes = plot_confusion(COUNTS, ["a", "b"]).axes[0]
    assert axes.get_ylabel() == "True class"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]


def test_each_count_can_be_read_on_its_cell():
    c = 11
    counts = np.zeros((c, c), int)
    counts[:, 0], counts[:, 1] = np.arange(c), 10 - np.arange(c)
    figure = plot_confusion(counts, [str(i) for i in range(c)])
    image = figure.axes[0].images[0]
    for (column, row), text in cells(figure).items():
        cell = luminance(image.cmap(image.norm(image.get_array()[row, column])))
        ink = luminance(to_rgb(text.get_color()))
        contrast = (max(cell, ink) + 0.05) / (min(cell, ink) + 0.05)
        assert contrast >= 3.9, (row, column, contrast)


def test_over_25_classes_the_cells_are_empty_and_over_60_nameless():
    def drawn(c):
        axes = plot_confusion(np.eye(c, dtype=int), [f"n{i}" for i in range(c)]).axes[0]
        return len(axes.texts), [label.get_text() for label in axes.get_yticklabels()]

    assert drawn(25)[0] == 625
    assert drawn(26)[0] == 0
    assert drawn(60)[1][-1] == "n59"
    assert "n60" not in drawn(61)[1]


@pytest.mark.parametrize(("names", "rotation"), [(["0", "10"], 0), (["0", "coast"], 40)])
def test_short_names_stand_upright(names, rotation):
    axes = plot_confusion(COUNTS, names).axes[0]
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {rotation}


def test_no_queries_are_not_divided_by():
    figure = plot_confusion(np.zeros((2, 2), int), ["a", "b"])
    assert "no queries" in figure.get_suptitle().replace("\n", " ")


@pytest.mark.parametrize("counts", [np.zeros((2, 3), int), np.zeros((3, 3), int), -np.eye(2, dtype=int)])
def test_counts_of_another_shape_or_sign_are_a_users_mistake(counts):
    with pytest.raises(UserError, match="confusion matrix"):
        plot_confusion(counts, ["a", "b"])
