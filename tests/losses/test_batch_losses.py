"""The losses that mine inside a batch: against NumPy, at the edges, and through their configuration."""

from __future__ import annotations

from itertools import product

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfretrieval.losses import TripletAllLoss, TripletHardLoss, TripletSemiHardLoss


def distances(embeddings: np.ndarray, squared: bool) -> np.ndarray:
    difference = embeddings[:, None].astype(np.float64) - embeddings[None]
    squares = (difference**2).sum(axis=2)
    return squares if squared else np.sqrt(squares)


def hinge(gap: float, margin: float, soft: bool) -> float:
    return float(np.log1p(np.exp(gap))) if soft else max(gap + margin, 0.0)


def triplet_all(labels, embeddings, margin=1.0, squared=False, soft=False) -> float:
    d, b = distances(embeddings, squared), len(labels)
    costs = [
        hinge(d[a, p] - d[a, n], margin, soft)
        for a, p, n in product(range(b), repeat=3)
        if a != p and labels[a] == labels[p] and labels[a] != labels[n]
    ]
    active = [cost for cost in costs if cost > 0]
    return float(np.mean(active)) if active else 0.0


def triplet_hard(labels, embeddings, margin=1.0, squared=False, soft=False) -> float:
    d, costs = distances(embeddings, squared), []
    for a in range(len(labels)):
        positives = [d[a, p] for p in range(len(labels)) if p != a and labels[p] == labels[a]]
        negatives = [d[a, n] for n in range(len(labels)) if labels[n] != labels[a]]
        if positives and negatives:
            costs.append(hinge(max(positives) - min(negatives), margin, soft))
    return float(np.mean(costs)) if costs else 0.0


def triplet_semihard(labels, embeddings, margin=1.0, squared=False, soft=False) -> float:
    d, costs = distances(embeddings, squared), []
    for a, p in product(range(len(labels)), repeat=2):
        negatives = [d[a, n] for n in range(len(labels)) if labels[n] != labels[a]]
        if a != p and labels[a] == labels[p] and negatives:
            farther = [distance for distance in negatives if distance > d[a, p]]
            costs.append(hinge(d[a, p] - (min(farther) if farther else max(negatives)), margin, soft))
    return float(np.mean(costs)) if costs else 0.0


LOSSES = [(TripletAllLoss, triplet_all), (TripletHardLoss, triplet_hard), (TripletSemiHardLoss, triplet_semihard)]
each = pytest.mark.parametrize(("loss", "reference"), LOSSES, ids=[loss.__name__ for loss, _ in LOSSES])
every_form = pytest.mark.parametrize(("squared", "soft"), [(False, False), (True, False), (False, True), (True, True)])


def batch(seed: int, b: int = 12, d: int = 4, c: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, c, b).astype(np.int32), rng.normal(size=(b, d)).astype(np.float32)


@each
@every_form
@pytest.mark.parametrize("seed", range(3))
def test_the_value_is_that_of_the_formula(loss, reference, squared, soft, seed):
    labels, embeddings = batch(seed)
    value = loss(margin=0.7, squared=squared, soft=soft)(labels, embeddings)
    assert float(value) == pytest.approx(reference(labels, embeddings, 0.7, squared, soft), rel=1e-4)


@each
@given(
    b=st.integers(1, 9), c=st.integers(1, 4), scale=st.sampled_from([0.0, 1e-4, 1.0, 100.0]), seed=st.integers(0, 99)
)
@settings(max_examples=25, deadline=None)
def test_any_batch_has_a_finite_value_and_gradient(loss, reference, b, c, scale, seed):
    labels, embeddings = batch(seed, b, c=c)
    points = tf.Variable(scale * embeddings)
    with tf.GradientTape() as tape:
        value = loss()(labels, points)
    assert np.isfinite(float(value))
    assert np.isfinite(tape.gradient(value, points).numpy()).all()
    assert float(value) == pytest.approx(reference(labels, scale * embeddings), rel=1e-3, abs=1e-3)


@each
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]], ids=["no negatives", "no positives"])
def test_a_batch_without_a_triplet_costs_nothing(loss, reference, labels):
    points = tf.Variable(batch(0, 3)[1])
    with tf.GradientTape() as tape:
        value = loss()(np.array(labels), points)
    assert float(value) == 0 == reference(labels, points.numpy())
    assert not tape.gradient(value, points).numpy().any()


@each
def test_labels_may_be_a_column_and_of_any_number_type(loss, reference):
    labels, embeddings = batch(1)
    expected = float(loss()(labels, embeddings))
    assert float(loss()(labels[:, None].astype(np.float32), embeddings)) == pytest.approx(expected)


@each
def test_a_step_down_the_gradient_lowers_the_loss(loss, reference):
    labels, embeddings = batch(2)
    points = tf.Variable(embeddings)
    with tf.GradientTape() as tape:
        before = loss(soft=True)(labels, points)
    points.assign_sub(1e-2 * tape.gradient(before, points))
    assert float(loss(soft=True)(labels, points)) < float(before)


@each
def test_the_configuration_comes_back(loss, reference):
    one = loss(margin=0.3, squared=True, soft=True, name="mine")
    other = keras.losses.deserialize(keras.losses.serialize(one))
    assert type(other) is loss
    assert other.get_config() == one.get_config()
    assert (other.margin, other.squared, other.soft, other.name) == (0.3, True, True, "mine")
