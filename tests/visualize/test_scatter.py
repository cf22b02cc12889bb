import numpy as np

from tfretrieval.visualize.scatter import plot_scatter

POINTS = np.array([[0, 0], [1, 0], [0, 1], [5, 5], [6, 5], [5, 6]], float)
LABELS = np.array([0, 0, 0, 1, 1, 1])
SPLITS = np.array(["test", "train", "train", "train", "test", "train"], object)
TRAIN = np.full(2000, "train", object)


def drawn(figure):
    return [(len(part.get_offsets()), float(part.get_sizes()[0])) for part in figure.axes[0].collections]


def test_gallery_points_are_smaller_than_queries_and_below_them():
    parts = drawn(plot_scatter(POINTS, LABELS, ["a", "b"], SPLITS, "train"))
    assert [count for count, _ in parts] == [2, 2, 1, 1]
    assert max(size for _, size in parts[:2]) < min(size for _, size in parts[2:])


def test_queries_have_the_marker_of_their_class():
    parts = plot_scatter(POINTS, LABELS, ["a", "b"], SPLITS, "train").axes[0].collections
    gallery_a, gallery_b, query_a, query_b = (part.get_paths()[0].vertices.tolist() for part in parts)
    assert gallery_a == gallery_b
    assert query_a != query_b


def names_of(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def key_of(figure):
    return figure.axes[0].get_title(loc="left")


def test_classes_are_named_at_their_clusters_and_splits_below_the_title():
    figure = plot_scatter(POINTS, LABELS, ["a", "_b"], SPLITS, "train")
    assert not figure.legends
    assert names_of(figure) == ["a", "_b"]
    assert key_of(figure) == "small dots: train, large markers: test"


def test_without_queries_all_points_are_dots():
    figure = plot_scatter(POINTS, LABELS, ["a", "b"], TRAIN[:6], "train")
    assert [count for count, _ in drawn(figure)] == [3, 3]
    assert key_of(figure) == ""


def test_overlapping_names_are_moved_apart_with_lines_to_their_clusters():
    points = np.random.default_rng(0).normal(size=(180, 2))
    names = [f"a rather long name {i}" for i in range(18)]
    figure = plot_scatter(points, np.arange(180) % 18, names, TRAIN[:180], "train", "Crowded")
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 18
    assert not any(one.overlaps(other) for i, one in enumerate(boxes) for other in boxes[:i])
    starts = {tuple(line.get_xydata()[0]) for line in figure.axes[0].lines}
    assert starts
    assert starts <= {tuple(text.xy) for text in figure.axes[0].texts}


def test_a_class_name_is_at_a_pure_cluster_not_at_outliers():
    rng = np.random.default_rng(0)
    centers = np.array([[-20.0, 0], [20, 0], [0, 0], [0, 200]])
    points = np.concatenate([rng.normal(size=(100, 2)) + center for center in centers])
    labels = np.repeat([0, 0, 1, 1], 100)
    labels[395:] = 0
    figure = plot_scatter(points, labels, ["coast", "forest"], TRAIN[:400], "train")
    where = {text.get_text(): np.array(text.xy) for text in figure.axes[0].texts}
    for name, homes in (("coast", centers[:2]), ("forest", centers[2:])):
        assert np.linalg.norm(homes - where[name], axis=1).min() < 2


def test_unknown_classes_are_explained_and_absent_classes_omitted():
    figure = plot_scatter(POINTS, np.array([-1, 0, 0, 2, 2, 2]), ["a", "absent", "c"], TRAIN[:6], "train")
    assert names_of(figure) == ["a", "c"]
    assert key_of(figure) == "gray: class unknown"


def test_names_of_many_classes_do_not_overlap_and_each_marks_its_cluster():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(100), 20)
    centers = rng.normal(size=(100, 2)) * 10
    points = centers[labels] + rng.normal(size=(2000, 2)) * 0.3
    figure = plot_scatter(points, labels, [f"class {i}" for i in range(100)], TRAIN, "train")
    figure.draw_without_rendering()
    texts = figure.axes[0].texts
    assert 20 < len(texts) < 100
    boxes = [text.get_window_extent() for text in texts]
    assert not any(box.overlaps(other) for i, box in enumerate(boxes) for other in boxes[:i])
    for text in texts:
        assert np.linalg.norm(np.array(text.xy) - centers[int(text.get_text().split()[1])]) < 1.5
    assert not figure.legends
    assert not figure.axes[0].lines
