"""Tests of the losses of tensorflow-addons, which agree with the project's own."""

from __future__ import annotations

from importlib.util import find_spec

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.errors import UserError
from tfretrieval.losses import LOSSES, loss_spec
from tfretrieval.losses.addons import addons_loss

ADDONS = find_spec("tensorflow_addons") is not None
with_addons = pytest.mark.skipif(not ADDONS, reason="tensorflow-addons is not installed: pip install '.[addons]'")


def batch(seed: int, b: int = 24, c: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.repeat(np.arange(c), b // c).astype(np.int32), rng.normal(size=(b, 6)).astype(np.float32)


@with_addons
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("margin", [0.3, 1.0])
def test_contrastive_losses_agree(seed, margin):
    rng = np.random.default_rng(seed)
    same, distances = rng.integers(0, 2, 32).astype(np.float32), rng.uniform(0, 2, 32).astype(np.float32)
    own, addons = (
        loss_spec(name).build_loss(margin=margin)(same, distances) for name in ("contrastive", "addons/contrastive")
    )
    np.testing.assert_allclose(own, addons, atol=1e-5)


@with_addons
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize(
    ("name", "soft"), [("triplet-semihard", False), ("triplet-hard", False), ("triplet-hard", True)]
)
def test_mining_losses_and_gradients_agree(name, soft, squared, seed):
    labels, embeddings = batch(seed)
    results = []
    for full_name in (name, f"addons/{name}"):
        variable = tf.Variable(embeddings)
        with tf.GradientTape() as tape:
            value = loss_spec(full_name).build_loss(squared=squared, soft=soft)(labels, variable)
        results.append((float(value), tape.gradient(value, variable).numpy()))
    (own, own_gradient), (addons, addons_gradient) = results
    assert own == pytest.approx(addons, abs=1e-5)
    np.testing.assert_allclose(own_gradient, addons_gradient, atol=1e-5)


@with_addons
@pytest.mark.parametrize("name", [name for name in LOSSES if name.startswith("addons/")])
def test_every_loss_is_finite_and_survives_serialization(name):
    labels, embeddings = batch(0)
    inputs = (labels[:16] % 2, np.abs(embeddings[:16, 0])) if name == "addons/contrastive" else (labels, embeddings)
    loss = loss_spec(name).build_loss()
    restored = keras.losses.deserialize(keras.losses.serialize(loss))
    assert np.isfinite(float(loss(*inputs)))
    assert float(restored(*inputs)) == pytest.approx(float(loss(*inputs)))


@with_addons
def test_unsupported_option_is_an_error():
    with pytest.raises(UserError, match="soft"):
        addons_loss("contrastive", soft=True)


@pytest.mark.skipif(ADDONS, reason="tensorflow-addons is installed")
def test_missing_extra_is_an_error():
    with pytest.raises(UserError, match=r"tfretrieval\[addons\]"):
        addons_loss("contrastive")
