"""Tests that every loss with mining inside a batch passes, against references in NumPy."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.losses.mining import class_masks, pairwise_distances
from tfretrieval.losses.triplet_all import TripletAllLoss
from tfretrieval.losses.triplet_hard import TripletHardLoss
from tfretrieval.losses.triplet_semihard import TripletSemiHardLoss


def triplet_all(labels, embeddings, margin=1.0, squared=False, soft=False) -> float:
    d = pairwise(embeddings, squared)
    losses = [
        hinge(d[a, p] - d[a, n], margin, soft)
        for a, p, n in product(range(len(labels)), repeat=3)
        if a != p and labels[a] == labels[p] and labels[a] != labels[n]
    ]
    active = [loss for loss in losses if loss > 0]
    return float(np.mean(active)) if active else 0.0


def triplet_hard(labels, embeddings, margin=1.0, squared=False, soft=False) -> float:
    d, losses = pairwise(embeddings, squared), []
    for a in range(len(labels)):
        positives = [d[a, p] for p in range(len(labels)) if p != a and labels[p] == labels[a]]
        negatives = [d[a, n] for n in range(len(labels)) if labels[n] != labels[a]]
        if positives and negatives:
            losses.append(hinge(max(positives) - min(negatives), margin, soft))
    return float(np.mean(losses)) if losses else 0.0


def triplet_semihard(labels, embeddings, margin=1.0, squared=False, soft=False) -> float:
    d, losses = pairwise(embeddings, squared), []
    for a, p in product(range(len(labels)), repeat=2):
        negatives = [d[a, n] for n in range(len(labels)) if labels[n] != labels[a]]
        if a != p and labels[a] == labels[p] and negatives:
            farther = [distance for distance in negatives if distance > d[a, p]]
            losses.append(hinge(d[a, p] - (min(farther) if farther else max(negatives)), margin, soft))
    return float(np.mean(losses)) if losses else 0.0


def pairwise(embeddings: np.ndarray, squared: bool) -> np.ndarray:
    difference = embeddings[:, None].astype(np.float64) - embeddings[None]
    squares = (difference**2).sum(axis=2)
    return squares if squared else np.sqrt(squares)


def hinge(gap: float, margin: float, soft: bool) -> float:
    return float(np.log1p(np.exp(gap))) if soft else max(gap + margin, 0.0)


def random_batch(seed: int, b: int = 12, d: int = 4, c: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, c, b).astype(np.int32), rng.normal(size=(b, d)).astype(np.float32)


LOSSES = [(TripletAllLoss, triplet_all), (TripletHardLoss, triplet_hard), (TripletSemiHardLoss, triplet_semihard)]
for_each_loss = pytest.mark.parametrize(("loss", "reference"), LOSSES, ids=[loss.__name__ for loss, _ in LOSSES])


@for_each_loss
@pytest.mark.parametrize(("squared", "soft"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("seed", range(3))
def test_value_agrees_with_the_reference(loss, reference, squared, soft, seed):
    labels, embeddings = random_batch(seed)
    value = loss(margin=0.7, squared=squared, soft=soft)(labels, embeddings)
    assert float(value) == pytest.approx(reference(labels, embeddings, 0.7, squared, soft), rel=1e-4)


@for_each_loss
@pytest.mark.parametrize("scale", [0.0, 1e-4, 1.0, 100.0])
@pytest.mark.parametrize(("b", "c"), [(1, 1), (2, 2), (4, 1), (5, 4), (9, 2)])
def test_value_and_gradient_of_any_batch_are_finite(loss, reference, b, c, scale):
    labels, embeddings = random_batch(b + c, b, c=c)
    variable = tf.Variable(scale * embeddings)
    with tf.GradientTape() as tape:
        value = loss()(labels, variable)
    assert np.isfinite(tape.gradient(value, variable).numpy()).all()
    assert float(value) == pytest.approx(reference(labels, scale * embeddings), rel=1e-3, abs=1e-3)


@for_each_loss
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]], ids=["no negatives", "no positives"])
def test_batch_without_triplets_has_no_loss_and_no_gradient(loss, reference, labels):
    variable = tf.Variable(random_batch(0, 3)[1])
    with tf.GradientTape() as tape:
        value = loss()(np.array(labels), variable)
    assert float(value) == 0 == reference(labels, variable.numpy())
    assert not tape.gradient(value, variable).numpy().any()


@for_each_loss
def test_labels_may_be_a_column_of_floats(loss, reference):
    labels, embeddings = random_batch(1)
    column = labels[:, None].astype(np.float32)
    assert float(loss()(column, embeddings)) == pytest.approx(float(loss()(labels, embeddings)))


@for_each_loss
def test_gradient_descent_decreases_the_loss(loss, reference):
    labels, embeddings = random_batch(2)
    variable = tf.Variable(embeddings)
    with tf.GradientTape() as tape:
        before = loss(soft=True)(labels, variable)
    variable.assign_sub(1e-2 * tape.gradient(before, variable))
    assert float(loss(soft=True)(labels, variable)) < float(before)


@pytest.mark.parametrize("squared", [False, True])
def test_distances_agree_with_numpy(squared):
    points = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    expected = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.testing.assert_allclose(
        pairwise_distances(tf.constant(points), squared), expected**2 if squared else expected, atol=1e-5
    )


def test_diagonal_is_0_far_from_the_origin():
    distances = pairwise_distances(tf.constant(np.full((4, 8), 1000.0, np.float32) + np.eye(4, 8, dtype=np.float32)))
    np.testing.assert_array_equal(np.diag(distances), 0)


def test_positive_and_negative_pairs_of_known_labels():
    positive, negative = class_masks(tf.constant([[3], [5], [3]]))
    np.testing.assert_array_equal(positive, [[0, 0, 1], [0, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(negative, [[0, 1, 0], [1, 0, 1], [0, 1, 0]])
