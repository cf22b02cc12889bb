import numpy as np
import pytest
from matplotlib.colors import to_hex

from tfretrieval.errors import UserError
from tfretrieval.visualize.neighbors import NeighborPanel, plot_neighbors
from tfretrieval.visualize.theme import CORRECT, WRONG, save_figure


def image(value, h=8, w=8):
    return np.full((h, w, 3), value, np.uint8)


def panel(query, labels):
    k = len(labels)
    return NeighborPanel(image(0), query, [image(i + 1) for i in range(k)], labels, [i / 10 for i in range(k)])


def filled(figure):
    return [axes for axes in figure.axes if axes.images]


def test_a_row_holds_the_query_and_its_neighbors_in_order():
    axes = filled(plot_neighbors([panel("coast", ["coast", "forest"])]))
    assert [int(a.images[0].get_array().max()) for a in axes] == [0, 1, 2]
    assert [a.get_xlabel() for a in axes] == ["coast", "✓ coast\n0.000", "✗ forest\n0.100"]
    assert axes[0].get_title(loc="left") == "Query"
    assert [a.get_title(loc="left") for a in axes[1:]] == ["1", "2"]


def test_correct_and_wrong_neighbors_differ_in_color_and_line_style():
    _, right, wrong = filled(plot_neighbors([panel("coast", ["coast", "forest"])]))
    assert to_hex(right.spines["top"].get_edgecolor()) == CORRECT.lower()
    assert to_hex(wrong.spines["top"].get_edgecolor()) == WRONG.lower()
    assert right.spines["top"].get_linestyle() != wrong.spines["top"].get_linestyle()


def test_neighbors_of_an_unlabelled_query_have_no_sign():
    figure = plot_neighbors([panel("", ["coast"])])
    query, neighbor = filled(figure)
    assert query.get_xlabel() == "class unknown"
    assert neighbor.get_xlabel() == "coast\n0.000"
    assert figure.get_supxlabel() == "below each: class, distance"


def test_the_legend_does_not_overlap_title_or_images():
    figure = plot_neighbors([panel("coast", ["coast", "forest"])], "A title that is as long as such titles are")
    assert figure.get_supxlabel().startswith("✓ same class; ✗ other class;")
    figure.draw_without_rendering()
    heading, key = figure._suptitle.get_window_extent(), figure._supxlabel.get_window_extent()
    assert not heading.overlaps(key)
    assert all(not axes.get_tightbbox().overlaps(key) for axes in figure.axes if axes.images)


def test_a_note_is_below_the_query():
    noted = NeighborPanel(image(0), "coast", [image(1)], ["coast"], [0.1], "AP 0.250")
    assert filled(plot_neighbors([noted]))[0].get_xlabel() == "coast\nAP 0.250"


def test_an_unlabelled_neighbor_has_no_sign():
    assert filled(plot_neighbors([panel("coast", [""])]))[1].get_xlabel() == "class unknown\n0.000"


def test_rows_may_differ_in_length():
    figure = plot_neighbors([panel("a", ["a", "a", "b"]), panel("b", ["b"]), panel("b", [])])
    assert len(filled(figure)) == 4 + 2 + 1


def test_a_wide_image_keeps_its_aspect_ratio():
    wide = NeighborPanel(image(0, h=4, w=10), "a")
    axes = filled(plot_neighbors([wide]))[0]
    assert axes.get_xlim() == (-0.5, 9.5)
    assert axes.get_ylim() == (6.5, -3.5)


def test_gray_images_are_plotted(tmp_path):
    gray = NeighborPanel(np.zeros((8, 8), np.uint8), "1", [np.zeros((8, 8, 1), np.uint8)], ["1"], [0.0])
    save_figure(plot_neighbors([gray]), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_an_image_of_another_shape_raises():
    with pytest.raises(UserError, match=r"\[8, 8, 4\]"):
        plot_neighbors([NeighborPanel(np.zeros((8, 8, 4), np.uint8), "a")])


def test_lists_of_different_lengths_raise():
    with pytest.raises(UserError, match="length"):
        NeighborPanel(image(0), "a", [image(1)], ["a", "b"], [])


def test_no_queries_raise():
    with pytest.raises(UserError, match="no query"):
        plot_neighbors([])
