import numpy as np
from matplotlib.colors import to_hex

from tfretrieval.visualize.neighbors import ImageRow, LabeledImage, plot_neighbors
from tfretrieval.visualize.theme import CORRECT, WRONG


def image(value, label, note="", role="unknown", h=8, w=8):
    return LabeledImage(np.full((h, w, 3), value, np.uint8), label, note, role)


def row(query, neighbors, note=""):
    """A query with (label, role) of its neighbors."""
    images = [image(i + 1, label, f"{i / 10:.3f}", role) for i, (label, role) in enumerate(neighbors)]
    return ImageRow([image(0, query, note, "query"), *images])


COAST = row("coast", [("coast", "correct"), ("forest", "wrong")])


def filled(figure):
    return [axes for axes in figure.axes if axes.images]


def test_a_row_holds_the_query_and_its_neighbors_in_order():
    axes = filled(plot_neighbors([COAST]))
    assert [int(a.images[0].get_array().max()) for a in axes] == [0, 1, 2]
    assert [a.get_xlabel() for a in axes] == ["coast", "✓ coast\n0.000", "✗ forest\n0.100"]
    assert axes[0].get_title(loc="left") == "Query"
    assert [a.get_title(loc="left") for a in axes[1:]] == ["1", "2"]


def test_correct_and_wrong_neighbors_differ_in_color_and_line_style():
    _, right, wrong = filled(plot_neighbors([COAST]))
    assert to_hex(right.spines["top"].get_edgecolor()) == CORRECT.lower()
    assert to_hex(wrong.spines["top"].get_edgecolor()) == WRONG.lower()
    assert right.spines["top"].get_linestyle() != wrong.spines["top"].get_linestyle()


def test_neighbors_of_an_unlabeled_query_have_no_sign():
    figure = plot_neighbors([row("", [("coast", "unknown")])])
    query, neighbor = filled(figure)
    assert query.get_xlabel() == "class unknown"
    assert neighbor.get_xlabel() == "coast\n0.000"
    assert figure.get_supxlabel() == "below each: class, distance"


def test_the_legend_does_not_overlap_title_or_images():
    figure = plot_neighbors([COAST], "A title that is as long as such titles are")
    assert figure.get_supxlabel().startswith("✓ same class; ✗ other class;")
    figure.draw_without_rendering()
    heading, key = figure._suptitle.get_window_extent(), figure._supxlabel.get_window_extent()
    assert not heading.overlaps(key)
    assert all(not axes.get_tightbbox().overlaps(key) for axes in figure.axes if axes.images)


def test_a_note_is_below_the_query():
    assert filled(plot_neighbors([row("coast", [], "AP 0.250")]))[0].get_xlabel() == "coast\nAP 0.250"


def test_rows_may_differ_in_length():
    figure = plot_neighbors([row("a", [("a", "correct")] * 3), row("b", [("b", "correct")]), row("b", [])])
    assert len(filled(figure)) == 4 + 2 + 1


def test_a_wide_image_keeps_its_aspect_ratio():
    (axes,) = filled(plot_neighbors([ImageRow([image(0, "a", role="query", h=4, w=10)])]))
    axes.figure.draw_without_rendering()
    box = axes.get_window_extent()
    assert abs(box.width / box.height - 2.5) < 0.01
