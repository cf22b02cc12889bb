import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from tfretrieval.artifacts import CorruptArtifact, MissingArtifact
from tfretrieval.errors import UserError
from tfretrieval.retrieval.transform import Transform


def sample(n=60, d=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)) @ np.diag(np.arange(1, d + 1)) + 5


def test_nothing_chosen_changes_nothing():
    gallery = sample().astype(np.float32)
    np.testing.assert_array_equal(Transform().fit(gallery).transform(gallery), gallery)


def test_pca_agrees_with_the_eigenvectors_of_the_covariance():
    gallery, queries = sample(), sample(seed=1)
    _, vectors = np.linalg.eigh(np.cov(gallery.T))
    expected = (queries - gallery.mean(axis=0)) @ vectors[:, ::-1][:, :3]
    transformed = Transform(pca=3).fit(gallery).transform(queries)
    assert transformed.shape == (60, 3)
    assert transformed.dtype == np.float32
    np.testing.assert_allclose(np.abs(transformed), np.abs(expected), rtol=1e-4, atol=1e-4)


def test_a_share_of_variance_keeps_as_many_components_as_it_takes():
    gallery = sample()
    shares = np.cumsum(PCA().fit(gallery).explained_variance_ratio_)
    fitted = Transform(pca=0.9).fit(gallery)
    assert fitted.n_features_out_ == int(np.searchsorted(shares, 0.9) + 1)


def test_whitening_gives_the_gallery_unit_covariance():
    whitened = Transform(pca=4, whiten=True).fit_transform(sample(500))
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(4), atol=1e-4)


def test_whitening_a_direction_without_variance_is_refused():
    gallery = np.random.default_rng(0).normal(size=(5, 8))
    with pytest.raises(UserError, match="variance in all 5 components, and the gallery has it in 4"):
        Transform(pca=5, whiten=True).fit(gallery)


def test_steps_come_in_order_and_are_fitted_on_the_gallery_alone():
    gallery, queries = sample(), sample(seed=1)
    unit = gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
    standard = (queries / np.linalg.norm(queries, axis=1, keepdims=True) - unit.mean(axis=0)) / unit.std(axis=0)
    transformed = Transform(normalize=True, standardize=True).fit(gallery).transform(queries)
    np.testing.assert_allclose(transformed, standard, rtol=1e-4, atol=1e-5)


def test_renormalized_vectors_have_norm_one_after_pca():
    transformed = Transform(pca=3, renormalize=True).fit(sample()).transform(sample(seed=1))
    np.testing.assert_allclose(np.linalg.norm(transformed, axis=1), 1, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.booleans(), st.booleans(), st.sampled_from([None, 2, 0.5]), st.booleans())
def test_zero_vectors_and_constant_dimensions_stay_finite(normalize, standardize, pca, renormalize):
    gallery = sample(20, 4)
    gallery[:3] = 0
    gallery[:, 1] = 0
    fitted = Transform(normalize, standardize, pca, renormalize=renormalize).fit(gallery)
    assert np.isfinite(fitted.transform(np.vstack([gallery, np.zeros((1, 4))]))).all()


@pytest.mark.parametrize(
    "pca",
    [
        7,
        0,
        1.5,
        True,
        "many",
    ],
)
def test_a_pca_out_of_range_is_refused_in_one_line(pca):
    with pytest.raises(UserError, match=f"pca={pca!r}") as caught:
        Transform(pca=pca).fit(sample(6))
    assert "\n" not in str(caught.value)


def test_other_dimensions_than_the_gallery_are_refused():
    with pytest.raises(UserError, match="dimensions"):
        Transform().fit(sample()).transform(np.zeros((2, 5)))


def test_before_fit_there_is_nothing_to_apply_or_save(tmp_path):
    for use in (lambda: Transform().transform(sample()), lambda: Transform().save(tmp_path)):
        with pytest.raises(UserError, match="not fitted"):
            use()


def test_an_empty_gallery_is_refused_and_no_queries_are_not():
    with pytest.raises(UserError, match="empty"):
        Transform().fit(np.empty((0, 3)))
    assert Transform(pca=2).fit(sample()).transform(np.empty((0, 8))).shape == (0, 2)


def test_two_fits_are_equal():
    first, second = (Transform(pca=5, whiten=True).fit_transform(sample()) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_clone_keeps_the_parameters():
    params = {"normalize": True, "standardize": True, "pca": 3, "whiten": True, "renormalize": True}
    assert clone(Transform(**params)).get_params() == params


PARAMS = [
    {},
    {"normalize": True},
    {"standardize": True, "pca": 0.8},
    {"normalize": True, "standardize": True, "pca": 3, "whiten": True, "renormalize": True},
    {"whiten": True},
]


@pytest.mark.parametrize("params", PARAMS)
def test_it_does_what_the_steps_of_scikit_learn_do(params):
    gallery, queries = sample(200), sample(7) * 3 + 1
    transform = Transform(**params).fit(gallery)
    steps = {
        "normalize": Normalizer(),
        "standardize": StandardScaler(),
        "pca": PCA(params.get("pca"), whiten=params.get("whiten", False), svd_solver="full"),
        "whiten": PCA(whiten=True, svd_solver="full"),
        "renormalize": Normalizer(),
    }
    names = [name for name in steps if name in params and not (name == "whiten" and "pca" in params)]
    pipeline = make_pipeline("passthrough", *(steps[name] for name in names)).fit(gallery)
    np.testing.assert_allclose(transform.transform(queries), pipeline.transform(queries), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("params", PARAMS)
def test_a_round_trip_through_disk_changes_nothing(tmp_path, params):
    fitted = Transform(**params).fit(sample())
    fitted.save(tmp_path)
    loaded = Transform.load(tmp_path)
    assert loaded.get_params() == fitted.get_params()
    np.testing.assert_array_equal(loaded.transform(sample(seed=1)), fitted.transform(sample(seed=1)))


def test_a_new_process_answers_identically(tmp_path):
    fitted = Transform(pca=3, whiten=True, renormalize=True).fit(sample())
    fitted.save(tmp_path / "t")
    np.save(tmp_path / "queries.npy", sample(seed=1))
    code = (
        "import sys, numpy as np; from tfretrieval.retrieval.transform import Transform; d = sys.argv[1]; "
        "np.save(d + '/out.npy', Transform.load(d + '/t').transform(np.load(d + '/queries.npy'))); "
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), fitted.transform(sample(seed=1)))


def test_damage_is_told_in_one_line(tmp_path):
    Transform(pca=2).fit(sample()).save(tmp_path)
    saved = (tmp_path / "transform.npz").read_bytes()
    for damaged in (saved[: len(saved) // 2], b"", b"no archive"):
        (tmp_path / "transform.npz").write_bytes(damaged)
        with pytest.raises(CorruptArtifact) as caught:
            Transform.load(tmp_path)
        assert "\n" not in str(caught.value)


def test_files_of_two_saves_are_never_mixed(tmp_path):
    Transform(pca=2).fit(sample()).save(tmp_path / "a")
    Transform(pca=2).fit(sample(seed=3)).save(tmp_path / "b")
    (tmp_path / "a" / "transform.npz").write_bytes((tmp_path / "b" / "transform.npz").read_bytes())
    with pytest.raises(CorruptArtifact):
        Transform.load(tmp_path / "a")


def test_another_format_and_a_missing_file_are_told(tmp_path):
    with pytest.raises(MissingArtifact):
        Transform.load(tmp_path)
    Transform().fit(sample()).save(tmp_path)
    header = json.loads((tmp_path / "transform.json").read_text())
    (tmp_path / "transform.json").write_text(json.dumps(header | {"format": 99}))
    with pytest.raises(CorruptArtifact, match="99"):
        Transform.load(tmp_path)
