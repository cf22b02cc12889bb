"""Tests of the retrieval metrics after every epoch."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.models.embedder import build_embedder
from tfretrieval.training.retrieval_metrics import COLLAPSED, RetrievalMetrics, spread
from tfretrieval.training.table_embedder import TableEmbedder


@pytest.fixture(scope="module")
def parts(scenes):
    catalog = Catalog.from_source(scenes)
    return ImageTable(catalog.split("test"), 16), ImageTable(catalog.split("train"), 16)


def test_metrics_agree_with_scikit_learn(parts):
    queries, gallery = parts
    embedder = build_embedder("convnet", 16, 4)
    metrics = RetrievalMetrics(embedder, queries, gallery, "euclidean", seed=0).measure()
    query_vectors, gallery_vectors = (TableEmbedder(embedder).embed(table) for table in parts)
    distances = np.linalg.norm(query_vectors[:, None] - gallery_vectors[None], axis=2)
    relevant = queries.catalog.labels[:, None] == gallery.catalog.labels[None]
    expected = np.mean([average_precision_score(r, -d) for r, d in zip(relevant, distances)])
    assert metrics["val_map"] == pytest.approx(expected, abs=1e-5)
    nearest = gallery.catalog.labels[distances.argmin(axis=1)]
    assert metrics["val_precision_at_1"] == pytest.approx(np.mean(nearest == queries.catalog.labels))


def test_vectors_that_are_not_finite_count_as_collapsed(parts):
    queries, gallery = parts
    embedder = build_embedder("convnet", 16, 4)
    metrics = RetrievalMetrics(embedder, queries, gallery, "cosine", seed=0)
    assert set(metrics.measure()) == {"val_map", "val_precision_at_1", "spread"}
    embedder.set_weights([np.full_like(w, np.nan) for w in embedder.get_weights()])
    assert metrics.measure()["spread"] == 0.0


def test_collapse_is_logged_once_with_advice(parts, caplog):
    queries, gallery = parts
    embedder = build_embedder("convnet", 16, 4)
    kernel, bias = embedder.get_layer("projection").get_weights()
    embedder.get_layer("projection").set_weights([kernel * 0, bias + 1])
    metrics = RetrievalMetrics(embedder, queries, gallery, "euclidean", seed=0)
    with caplog.at_level(logging.WARNING, logger="tfretrieval"):
        metrics.measure()
        metrics.measure()
    (record,) = [record for record in caplog.records if "has collapsed" in record.message]
    assert "--learning-rate" in record.message


def test_identical_vectors_have_the_spread_0():
    assert spread(np.ones((5, 3))) == 0
    assert spread(np.zeros((5, 3))) == 0


def test_vectors_around_the_origin_have_the_spread_1():
    assert spread(np.random.default_rng(0).normal(size=(1000, 8))) == pytest.approx(1, abs=0.01)


def test_spread_does_not_depend_on_scale():
    vectors = np.random.default_rng(0).normal(1, 1, size=(50, 4))
    assert spread(1000 * vectors) == pytest.approx(spread(vectors))


def test_small_noise_around_a_point_is_collapsed():
    assert spread(np.random.default_rng(0).normal(1, 1e-3, size=(50, 4))) < COLLAPSED
