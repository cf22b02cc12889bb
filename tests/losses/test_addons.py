"""The losses of tensorflow-addons: equal to ours where it is installed, a clear line where it is not."""

from __future__ import annotations

from importlib.util import find_spec

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.errors import UserError
from tfretrieval.losses import BATCHES, make_loss

ADDONS = find_spec("tensorflow_addons") is not None
with_addons = pytest.mark.skipif(not ADDONS, reason="tensorflow-addons is not installed: pip install '.[addons]'")


def batch(seed: int, b: int = 24, c: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.repeat(np.arange(c), b // c).astype(np.int32), rng.normal(size=(b, 6)).astype(np.float32)


@with_addons
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("margin", [0.3, 1.0])
def test_contrastive_is_the_same(seed, margin):
    rng = np.random.default_rng(seed)
    same, distances = rng.integers(0, 2, 32).astype(np.float32), rng.uniform(0, 2, 32).astype(np.float32)
    ours, theirs = (make_loss(name, margin)(same, distances) for name in ("contrastive", "addons/contrastive"))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@with_addons
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize(
    ("name", "soft"), [("triplet-semihard", False), ("triplet-hard", False), ("triplet-hard", True)]
)
def test_mining_losses_are_the_same(name, soft, squared, seed):
    labels, embeddings = batch(seed)
    results = []
    for kind in (name, f"addons/{name}"):
        points = tf.Variable(embeddings)
        with tf.GradientTape() as tape:
            value = make_loss(kind, 1.0, squared, soft)(labels, points)
        results.append((float(value), tape.gradient(value, points).numpy()))
    (ours, our_gradient), (theirs, their_gradient) = results
    assert ours == pytest.approx(theirs, abs=1e-5)
    np.testing.assert_allclose(our_gradient, their_gradient, atol=1e-5)


@with_addons
@pytest.mark.parametrize("name", [name for name in BATCHES if name.startswith("addons/")])
def test_every_addons_loss_gives_a_finite_number_and_comes_back(name):
    labels, embeddings = batch(0)
    inputs = (labels[:16] % 2, np.abs(embeddings[:16, 0])) if name == "addons/contrastive" else (labels, embeddings)
    loss = make_loss(name)
    restored = keras.losses.deserialize(keras.losses.serialize(loss))
    assert np.isfinite(float(loss(*inputs)))
    assert float(restored(*inputs)) == pytest.approx(float(loss(*inputs)))


@with_addons
def test_options_that_a_loss_has_not():
    with pytest.raises(UserError, match="no loss addons/arcface"):
        make_loss("addons/arcface")
    with pytest.raises(UserError, match="addons/contrastive has no soft form"):
        make_loss("addons/contrastive", soft=True)


@pytest.mark.skipif(ADDONS, reason="tensorflow-addons is installed")
def test_without_the_extra_one_line_says_how_to_get_it():
    with pytest.raises(UserError, match=r"pip install 'tfretrieval\[addons\]'"):
        make_loss("addons/contrastive")
