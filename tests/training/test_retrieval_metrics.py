"""What is measured on the held-out part after every epoch."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.embedding.keras_engine import KerasEngine
from tfretrieval.models import build_embedder
from tfretrieval.training.retrieval_metrics import RetrievalMetrics


@pytest.fixture(scope="module")
def parts(scenes):
    catalog = Catalog.from_source(scenes)
    return ImageTable(catalog.split("test"), 16), ImageTable(catalog.split("train"), 16)


def test_held_out_images_ask_and_training_images_answer(parts):
    queries, gallery = parts
    embedder = build_embedder("convnet", 16, 4)
    measured = RetrievalMetrics(embedder, queries, gallery, "euclidean", seed=0).measure()
    engine = KerasEngine(embedder)
    asked, found = engine.embed_table(queries), engine.embed_table(gallery)
    distances = np.linalg.norm(asked[:, None] - found[None], axis=2)
    relevant = queries.catalog.labels[:, None] == gallery.catalog.labels[None]
    expected = np.mean([average_precision_score(r, -d) for r, d in zip(relevant, distances)])
    assert measured["val_map"] == pytest.approx(expected, abs=1e-5)
    nearest = gallery.catalog.labels[distances.argmin(axis=1)]
    assert measured["val_precision_at_1"] == pytest.approx(np.mean(nearest == queries.catalog.labels))


def test_the_figures_have_names_and_weights_that_are_nan_count_as_collapsed(parts):
    queries, gallery = parts
    embedder = build_embedder("convnet", 16, 4)
    metrics = RetrievalMetrics(embedder, queries, gallery, "cosine", seed=0)
    assert set(metrics.after_epoch()) == {"val_map", "val_precision_at_1", "spread"}
    embedder.set_weights([np.full_like(w, np.nan) for w in embedder.get_weights()])
    assert metrics.measure()["spread"] == 0.0


def test_a_collapse_is_told_once_with_advice(parts, caplog):
    queries, gallery = parts
    embedder = build_embedder("convnet", 16, 4)
    kernel, bias = embedder.get_layer("projection").get_weights()
    embedder.get_layer("projection").set_weights([kernel * 0, bias + 1])
    metrics = RetrievalMetrics(embedder, queries, gallery, "euclidean", seed=0)
    with caplog.at_level(logging.WARNING, logger="tfretrieval"):
        metrics.after_epoch()
        metrics.after_epoch()
    (record,) = [record for record in caplog.records if "has collapsed" in record.message]
    assert "--learning-rate" in record.message
