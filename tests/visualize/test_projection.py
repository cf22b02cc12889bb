import subprocess
import sys

import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.visualize.projection import project, subsample


def two_groups(n, d=5):
    vectors = np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)
    vectors[n // 2 :] += 50
    return vectors


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_distant_clusters_stay_apart_and_seeds_reproduce(method):
    vectors = two_groups(40)
    points = project(vectors, method, seed=3)
    assert points.shape == (40, 2)
    assert points.dtype == np.float32
    within = np.linalg.norm(points[:20] - points[:20].mean(0), axis=1).max()
    between = np.linalg.norm(points[20:] - points[:20].mean(0), axis=1).min()
    assert between > within
    np.testing.assert_array_equal(points, project(vectors, method, seed=3))


@pytest.mark.parametrize("method", ["tsne", "umap"])
@pytest.mark.parametrize(("n", "d"), [(4, 3), (5, 1), (12, 2)])
@pytest.mark.filterwarnings("error")
def test_few_vectors_or_dimensions_give_no_warning(method, n, d):
    points = project(two_groups(n, d), method)
    assert points.shape == (n, 2)
    assert np.isfinite(points).all()


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_repeated_vectors_are_projected(method):
    assert np.isfinite(project(np.repeat(two_groups(4), 8, axis=0), method)).all()


@pytest.mark.parametrize("method", ["tsne", "umap"])
def test_equal_vectors_give_zeros(method):
    np.testing.assert_array_equal(project(np.ones((6, 3)), method), np.zeros((6, 2)))


@pytest.mark.parametrize(
    ("vectors", "said"),
    [(np.eye(3), "at least 4"), (np.full((5, 2), np.nan), "NaN")],
)
def test_invalid_input_raises(vectors, said):
    with pytest.raises(UserError, match=said):
        project(vectors, "tsne")


@pytest.mark.parametrize(("method", "title"), [("tsne", "t-SNE"), ("umap", "UMAP")])
def test_the_elapsed_time_is_shown_on_a_terminal(method, title, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("tfretrieval.progress.DELAY", 0)
    project(two_groups(60), method)
    captured = capsys.readouterr()
    assert f"{title} of 60 points" in captured.err
    assert captured.out == ""


def test_a_subsample_has_distinct_rows_and_depends_on_the_seed():
    rows = subsample(1000, 100, seed=1)
    assert len(np.unique(rows)) == 100
    assert rows.min() >= 0
    assert rows.max() < 1000
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, subsample(1000, 100, seed=1))
    assert not np.array_equal(rows, subsample(1000, 100, seed=2))


def test_umap_does_not_import_tensorflow():
    code = (
        "import sys\n"
        "from tfretrieval.visualize.projection import _umap_class\n"
        "print(_umap_class().__name__, 'tensorflow' in sys.modules, 'umap.parametric_umap' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout == "UMAP False False\n"
