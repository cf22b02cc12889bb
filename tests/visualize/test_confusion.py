import numpy as np
import pytest
from matplotlib.colors import to_rgb

from tfretrieval.visualize.confusion import most_confused, plot_confusion

COUNTS = np.array([[3, 1], [0, 4]])


def cells(figure):
    return {text.get_position(): text for text in figure.axes[0].texts}


def luminance(rgb):
    rgb = np.asarray(rgb[:3])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)


def test_each_cell_has_its_count_and_its_share_of_the_row():
    texts = {position: text.get_text() for position, text in cells(plot_confusion(COUNTS, ["a", "b"])).items()}
    assert texts == {(0, 0): "3\n75.0%", (1, 0): "1\n25.0%", (0, 1): "0\n0.0%", (1, 1): "4\n100.0%"}


def test_color_is_the_share_of_the_row():
    drawn = plot_confusion(COUNTS, ["a", "b"]).axes[0].images[0].get_array()
    np.testing.assert_allclose(drawn, [[0.75, 0.25], [0, 1]])


def test_the_title_has_the_accuracy_over_all_classes():
    title = plot_confusion(COUNTS, ["a", "b"], "resnet").get_suptitle().replace("\n", " ")
    assert title == "resnet: accuracy 0.875 (7 of 8)"


def test_rows_are_the_true_classes():
    axes = plot_confusion(COUNTS, ["a", "b"]).axes[0]
    assert axes.get_ylabel() == "True class"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]


def test_cell_text_contrasts_with_its_background():
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


def test_up_to_30_classes_are_all_named_with_their_cells():
    axes = plot_confusion(np.eye(30, dtype=int), [f"n{i}" for i in range(30)]).axes[0]
    assert len(axes.texts) == 900
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"n{i}" for i in range(30)]


def test_of_more_classes_the_25_most_confused_are_shown_with_a_column_for_the_others():
    counts = 5 * np.eye(40, dtype=int)
    counts[np.arange(1, 26), np.arange(25, 0, -1)] += 5
    counts[13, 13] -= 5
    counts[3, 39] = 10
    figure = plot_confusion(counts, [f"n{i}" for i in range(40)])
    axes = figure.axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert len(names) == 25
    assert {"n3", "n39"} <= set(names)
    assert "n0" not in names
    columns = [label.get_text() for label in axes.get_xticklabels()]
    assert columns[:-1] == names
    fractions = axes.images[0].get_array()
    np.testing.assert_allclose(fractions.sum(axis=1), 1)
    assert fractions[names.index("n3"), names.index("n39")] == 0.5


def test_the_other_column_holds_the_errors_of_classes_that_are_not_shown():
    counts = np.zeros((40, 40), int)
    rows = np.arange(25)
    counts[rows, (rows + 1) % 25] = 3
    counts[rows, 25 + rows % 15] = 1
    axes = plot_confusion(counts, [f"n{i}" for i in range(40)]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"n{i}" for i in rows]
    fractions = axes.images[0].get_array()
    np.testing.assert_allclose(fractions[:, -1], 0.25)
    np.testing.assert_allclose(fractions[rows, (rows + 1) % 25], 0.75)


def test_most_confused_classes_are_ranked_by_errors_in_rows_and_columns():
    counts = np.diag([9, 9, 9, 9])
    counts[0, 3] = 2
    counts[1, 3] = 1
    assert most_confused(counts, 2).tolist() == [0, 3]
    assert most_confused(counts, 3).tolist() == [0, 1, 3]


@pytest.mark.parametrize(("names", "rotation"), [(["0", "10"], 0), (["0", "coast"], 40)])
def test_short_names_are_not_rotated(names, rotation):
    axes = plot_confusion(COUNTS, names).axes[0]
    assert {label.get_rotation() for label in axes.get_xticklabels()} == {rotation}


def test_a_matrix_without_queries_is_plotted():
    figure = plot_confusion(np.zeros((2, 2), int), ["a", "b"])
    assert "no queries" in figure.get_suptitle().replace("\n", " ")
