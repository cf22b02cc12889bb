import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.visualize.scatter import plot_scatter
from tfretrieval.visualize.theme import save_figure

POINTS = np.array([[0, 0], [1, 0], [0, 1], [5, 5], [6, 5], [5, 6]], float)
LABELS = np.array([0, 0, 0, 1, 1, 1])
SPLITS = ["test", "train", "train", "train", "test", "train"]


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def drawn(figure):
    return [(len(part.get_offsets()), float(part.get_sizes()[0])) for part in figure.axes[0].collections]


def test_every_point_is_drawn_once_gallery_small_and_beneath_the_queries():
    parts = drawn(plot_scatter(POINTS, LABELS, ["a", "b"], SPLITS))
    assert [count for count, _ in parts] == [2, 2, 1, 1]
    assert max(size for _, size in parts[:2]) < min(size for _, size in parts[2:])


def test_queries_have_the_marker_of_their_class():
    parts = plot_scatter(POINTS, LABELS, ["a", "b"], SPLITS).axes[0].collections
    gallery_a, gallery_b, query_a, query_b = (part.get_paths()[0].vertices.tolist() for part in parts)
    assert gallery_a == gallery_b
    assert query_a != query_b


def names_of(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def key_of(figure):
    return figure.axes[0].get_title(loc="left")


def test_the_classes_are_named_in_place_and_the_splits_below_the_heading():
    figure = plot_scatter(POINTS, LABELS, ["a", "_b"], SPLITS)
    assert not figure.legends
    assert names_of(figure) == ["a", "_b"]
    assert key_of(figure) == "small dots: train, large shapes: test"


@pytest.mark.parametrize(
    ("splits", "gallery"),
    [(["left", "right"], "left"), (["query", "gallery"], "gallery"), (["test", "train"], "train")],
)
def test_the_gallery_is_found_by_name_or_is_the_first(splits, gallery):
    figure = plot_scatter(POINTS[:2], LABELS[:2], ["a"], splits)
    assert f"small dots: {gallery}," in key_of(figure)


def test_without_splits_all_points_are_dots():
    figure = plot_scatter(POINTS, LABELS, ["a", "b"])
    assert [count for count, _ in drawn(figure)] == [3, 3]
    assert key_of(figure) == ""


def test_no_name_covers_another_and_one_that_moved_keeps_a_line_to_its_place():
    points = np.random.default_rng(0).normal(size=(120, 2))
    names = [f"a rather long name {i}" for i in range(12)]
    figure = plot_scatter(points, np.arange(120) % 12, names, title="Crowded")
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 12
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
    starts = {tuple(line.get_xydata()[0]) for line in figure.axes[0].lines}
    assert starts
    assert starts <= {tuple(text.xy) for text in figure.axes[0].texts}


def test_a_class_name_stands_among_its_points_not_among_strays_or_others():
    rng = np.random.default_rng(0)
    centres = np.array([[-20.0, 0], [20, 0], [0, 0], [0, 200]])
    points = np.concatenate([rng.normal(size=(100, 2)) + center for center in centres])
    labels = np.repeat([0, 0, 1, 1], 100)
    labels[395:] = 0
    figure = plot_scatter(points, labels, ["coast", "forest"])
    where = {text.get_text(): np.array(text.xy) for text in figure.axes[0].texts}
    for name, homes in (("coast", centres[:2]), ("forest", centres[2:])):
        assert np.linalg.norm(homes - where[name], axis=1).min() < 2


def test_unknown_classes_are_explained_and_absent_classes_not_at_all():
    figure = plot_scatter(POINTS, np.array([-1, 0, 0, 2, 2, 2]), ["a", "absent", "c"])
    assert names_of(figure) == ["a", "c"]
    assert key_of(figure) == "gray: class unknown"


def test_in_a_legend_unknown_classes_come_last():
    labels = np.r_[-1, np.arange(30)]
    figure = plot_scatter(np.random.default_rng(0).normal(size=(31, 2)), labels, [f"n{i}" for i in range(30)])
    assert legend_of(figure)[-2:] == ["n29", "class unknown"]


def test_many_classes_shorten_the_legend_and_fit_the_image(tmp_path):
    labels = np.arange(100)
    figure = plot_scatter(np.random.default_rng(0).normal(size=(100, 2)), labels, [f"n{i}" for i in labels])
    save_figure(figure, tmp_path / "a.png")
    assert legend_of(figure)[-1] == "and 60 more classes"
    assert not figure.axes[0].texts
    assert figure.legends[0].get_window_extent().ymin >= 0


@pytest.mark.parametrize(
    ("points", "labels", "splits"),
    [
        (POINTS[:, :1], LABELS, None),
        (POINTS, LABELS[:3], None),
        (POINTS, LABELS, ["a"]),
        (POINTS[:0], LABELS[:0], None),
        (POINTS, LABELS + 1, None),
    ],
)
def test_arrays_that_do_not_fit_are_a_users_mistake(points, labels, splits):
    with pytest.raises(UserError):
        plot_scatter(points, labels, ["a", "b"], splits)
