"""Tests of the random rows of a batch."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfretrieval.data.sampling import ClassSampler, shuffled_rows, step_key
from tfretrieval.errors import UserError

N = 100_000
LABELS = np.repeat([0, 1, 2, 3, 4], [2, 3, 5, 40, 400])


def key(seed=0, epoch=0, step=0):
    return step_key(seed, tf.convert_to_tensor(epoch), tf.convert_to_tensor(step))


def within_4_errors(count: int, n: int, p: float) -> bool:
    return abs(count - n * p) <= 4 * np.sqrt(n * p * (1 - p))


@pytest.fixture(scope="module")
def pairs():
    return [part.numpy() for part in ClassSampler(LABELS).pairs(key(), N)]


@pytest.fixture(scope="module")
def triplets():
    return [part.numpy() for part in ClassSampler(LABELS).triplets(key(), N)]


def test_half_of_the_pairs_share_a_class(pairs):
    assert within_4_errors(pairs[2].sum(), N, 1 / 2)


def test_same_is_true_where_both_rows_share_a_class(pairs):
    anchor, other, same = pairs
    np.testing.assert_array_equal(LABELS[anchor] == LABELS[other], same)


def test_pairs_never_repeat_the_anchor(pairs):
    assert not (pairs[0] == pairs[1]).any()


@pytest.mark.parametrize("same", [True, False])
def test_both_rows_of_pairs_draw_every_class_equally_often(pairs, same):
    anchor, other, is_same = pairs
    for side in (anchor, other):
        drawn = LABELS[side[is_same == same]]
        assert all(within_4_errors((drawn == label).sum(), len(drawn), 1 / 5) for label in range(5))


def test_pairs_draw_every_item_of_a_class_equally_often(pairs):
    for side in pairs[:2]:
        for label in (0, 1, 2):
            rows = np.flatnonzero(label == LABELS)
            drawn = side[np.isin(side, rows)]
            assert all(within_4_errors((drawn == row).sum(), len(drawn), 1 / len(rows)) for row in rows)


def test_triplets_have_two_classes_and_distinct_items(triplets):
    anchor, positive, negative = triplets
    np.testing.assert_array_equal(LABELS[anchor], LABELS[positive])
    assert not (LABELS[anchor] == LABELS[negative]).any()
    assert not (anchor == positive).any()


def test_either_class_of_a_triplet_gives_the_positive_equally_often(triplets):
    anchor, _, negative = triplets
    for low, high in ((0, 1), (1, 4), (2, 3)):
        of_both = np.isin(LABELS[anchor], (low, high)) & np.isin(LABELS[negative], (low, high))
        assert within_4_errors((LABELS[anchor][of_both] == low).sum(), of_both.sum(), 1 / 2)


@given(
    counts=st.lists(st.integers(2, 9), min_size=2, max_size=6),
    p=st.integers(2, 8),
    k=st.integers(2, 12),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None)
def test_balanced_batches_hold_k_distinct_items_of_p_distinct_classes(counts, p, k, seed):
    labels = np.repeat(np.arange(len(counts)), counts)
    rows = ClassSampler(labels).balanced(key(seed), p, k).numpy().reshape(-1, k)
    assert len(rows) == min(p, len(counts))
    classes = labels[rows]
    assert (classes == classes[:, :1]).all()
    assert len(set(classes[:, 0])) == len(rows)
    for label, items in zip(classes[:, 0], rows):
        times = np.bincount(items)[items]
        assert len(set(items)) == min(k, counts[label]), "items repeat only if the class has fewer than k"
        assert times.max() - times.min() <= 1


def test_balanced_batches_draw_every_class_and_item_equally_often():
    sampler = ClassSampler(np.repeat([0, 1, 2, 3], [3, 5, 8, 20]))
    draw = tf.function(lambda step: sampler.balanced(key(step=step), 2, 2))
    rows = np.concatenate([draw(tf.constant(step)).numpy() for step in range(4000)])
    counts = np.bincount(rows, minlength=36)
    for items in (range(3), range(3, 8), range(8, 16), range(16, 36)):
        of_class = counts[list(items)]
        assert within_4_errors(of_class.sum() // 2, 4000, 1 / 2)
        assert np.abs(of_class - of_class.mean()).max() <= 5 * np.sqrt(of_class.mean())


@given(n=st.integers(1, 60), seed=st.integers(0, 50), epoch=st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_an_epoch_shows_every_row_once(n, seed, epoch):
    assert sorted(shuffled_rows(n, seed, tf.constant(epoch)).numpy()) == list(range(n))


def test_every_order_of_an_epoch_is_equally_likely():
    order = tf.function(lambda epoch: shuffled_rows(4, 0, epoch))
    drawn = [tuple(order(tf.constant(epoch)).numpy()) for epoch in range(4800)]
    counts = [drawn.count(one) for one in set(drawn)]
    assert len(counts) == 24
    assert all(within_4_errors(count, 4800, 1 / 24) for count in counts)


def test_draws_depend_on_the_key_alone():
    sampler = ClassSampler(LABELS)

    def draw(*at):
        return sampler.pairs(key(*at), 64)[0].numpy().tolist()

    assert draw(1, 2, 3) == draw(1, 2, 3)
    assert len({tuple(draw(*at)) for at in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1))}) == 5
    orders = [shuffled_rows(50, 0, tf.constant(epoch)).numpy().tolist() for epoch in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


def test_items_without_a_class_are_never_drawn():
    labels = np.array([-1, 0, -1, 0, 1, -1, 1, 1])
    sampler = ClassSampler(labels)
    rows = np.concatenate([*sampler.pairs(key(), 500)[:2], sampler.balanced(key(), 2, 3)])
    assert set(rows) == {1, 3, 4, 6, 7}


def test_too_few_classes_or_images_is_an_error():
    with pytest.raises(UserError, match="two classes"):
        ClassSampler(np.zeros(5, int))
    with pytest.raises(UserError, match="sea"):
        ClassSampler(np.array([0, 0, 1]), ("hill", "sea"))
