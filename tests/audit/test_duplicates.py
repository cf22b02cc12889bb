"""Copies of images, and images that are merely similar."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfretrieval.audit.duplicates import connected_groups, high_pass, near_duplicates


def images(n, seed=0):
    """Skies over seas that differ in their details only."""
    rng = np.random.default_rng(seed)
    scene = np.linspace(220, 60, 32)[:, None]
    return np.clip(scene + rng.normal(0, 12, (n, 32, 32)), 0, 255).astype(np.uint8)


def pairs_of(gray, neighbors=None):
    return near_duplicates(gray, neighbors)[0].tolist()


def test_similar_scenes_are_no_duplicates():
    gray = images(40)
    flat = gray.reshape(40, -1)
    assert np.corrcoef(flat[0], flat[1])[0, 1] > 0.9
    assert pairs_of(gray) == []


@pytest.mark.parametrize(
    "again",
    [
        lambda one: one,
        lambda one: one[:, ::-1],
        lambda one: np.clip(one * 0.7 + 40, 0, 255),
        lambda one: np.clip(255 * (one / 255) ** 1.5, 0, 255),
        lambda one: np.clip(one + np.random.default_rng(1).normal(0, 4, one.shape), 0, 255),
    ],
    ids=["equal", "mirrored", "contrast", "gamma", "noise"],
)
def test_a_copy_is_found(again):
    gray = images(40)
    gray[31] = again(gray[4].astype(float)).astype(np.uint8)
    pairs, correlations = near_duplicates(gray)
    assert pairs.tolist() == [[4, 31]]
    assert 0.85 <= correlations[0] <= 1


def partly_equal():
    """Images of which 4 and 31 are duplicates only if their embeddings agree."""
    gray = images(40)
    gray[31] = (0.6 * gray[4].astype(float) + 0.4 * gray[31]).astype(np.uint8)
    return gray


def neighbors_of(pairs, cosine, n=40):
    cosines, rows = np.full((n, 2), 0.2, np.float32), np.full((n, 2), -1)
    for one, other in pairs:
        cosines[one, 0], rows[one, 0] = cosine, other
    return cosines, rows


def test_close_embeddings_lower_the_threshold():
    gray = partly_equal()
    assert pairs_of(gray) == []
    assert pairs_of(gray, neighbors_of([(4, 31), (31, 4)], 0.95)) == [[4, 31]]
    assert pairs_of(gray, neighbors_of([(4, 31), (31, 4)], 0.85)) == []
    assert pairs_of(gray, neighbors_of([(4, 31)], 0.95)) == []


def test_close_embeddings_alone_are_no_duplicates():
    assert pairs_of(images(40), neighbors_of([(4, 31), (31, 4)], 0.99)) == []


def test_a_pair_found_by_pixels_and_embedding_is_returned_once():
    gray = images(40)
    gray[31] = gray[4]
    assert pairs_of(gray, neighbors_of([(4, 31), (31, 4)], 1)) == [[4, 31]]


def test_the_threshold_rises_where_random_images_correlate():
    rng = np.random.default_rng(0)
    strokes = rng.normal(0, 1, (3, 32, 32))
    drawings = 128 + 25 * np.einsum("nk,kyx->nyx", rng.normal(1, 0.5, (300, 3)), strokes)
    gray = np.clip(drawings, 0, 255).astype(np.uint8)
    fine = high_pass(gray)
    assert ((fine @ fine.T) > 0.85).mean() > 0.3
    assert len(pairs_of(gray)) < 10


def test_images_without_details_match_no_other():
    gray = np.concatenate([images(5), np.full((3, 32, 32), 9, np.uint8)])
    assert pairs_of(gray) == []
    assert not high_pass(gray)[5:].any()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_images(n):
    pairs, correlations = near_duplicates(np.repeat(images(1), n, axis=0))
    assert pairs.tolist() == ([[0, 1]] if n == 2 else [])
    assert len(correlations) == len(pairs)


def test_every_image_duplicated():
    one = images(50)
    assert pairs_of(np.concatenate([one, one])) == [[row, row + 50] for row in range(50)]


def test_connected_pairs_form_groups():
    assert connected_groups(np.array([[5, 9], [1, 3], [3, 8], [9, 11]])) == [[1, 3, 8], [5, 9, 11]]
    assert connected_groups(np.empty((0, 2), np.int64)) == []


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(lambda pair: pair[0] != pair[1]), max_size=40))
def test_groups_partition_the_rows_and_keep_pairs_together(pairs):
    groups = connected_groups(np.array(pairs, np.int64).reshape(-1, 2))
    rows = [row for group in groups for row in group]
    assert sorted(rows) == sorted({row for pair in pairs for row in pair})
    group_of = {row: number for number, group in enumerate(groups) for row in group}
    assert all(group_of[one] == group_of[other] for one, other in pairs)
