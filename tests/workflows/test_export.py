"""The SavedModel answers as the model."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tfretrieval.errors import UserError
from tfretrieval.workflows import export
from tfretrieval.workflows.export import export_saved_model
from tfretrieval.workflows.model import load_model


def test_both_signatures_answer_as_the_model(run, catalog, tmp_path):
    model = load_model(run)
    assert export_saved_model(model, tmp_path / "s")["max_difference"] <= 1e-5
    loaded = tf.saved_model.load(str(tmp_path / "s"))
    assert set(loaded.signatures) == {"serving_default", "encoded"}
    images = np.random.default_rng(0).uniform(0, 255, (5, 16, 16, 3)).astype(np.float32)
    answers = loaded.signatures["serving_default"](images=tf.constant(images))["embeddings"]
    np.testing.assert_allclose(answers, model(images, training=False), atol=1e-5)


def test_a_difference_is_found_and_nothing_is_left(run, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_largest_difference", lambda *_: float("nan"))
    with pytest.raises(UserError, match="answers otherwise"):
        export_saved_model(load_model(run), tmp_path / "s")
    assert list(tmp_path.glob("*s*")) == [] or not (tmp_path / "s").exists()


def test_an_older_export_is_replaced(run, tmp_path):
    export_saved_model(load_model(run), tmp_path / "s")
    (tmp_path / "s" / "stray").touch()
    export_saved_model(load_model(run), tmp_path / "s")
    assert not (tmp_path / "s" / "stray").exists()
