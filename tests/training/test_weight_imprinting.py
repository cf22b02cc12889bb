"""Tests of weight imprinting."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.models.classifier import build_classifier
from tfretrieval.models.embedder import build_embedder
from tfretrieval.training import weight_imprinting
from tfretrieval.training.weight_imprinting import imprint_head
from tfretrieval.vectors import unit_rows


@pytest.fixture
def table(scenes):
    return ImageTable(Catalog.from_source(scenes).split("train"), 24)


def test_prototypes_are_the_normalized_class_means(scenes):
    train = Catalog.from_source(scenes).split("train")
    table = ImageTable(train.subset(train.labels != 1), 24)
    embedder = build_embedder("convnet", 24, None)
    before = [np.array(w) for w in embedder.get_weights()]
    classifier = build_classifier(embedder, 3)
    imprint_head(classifier, table, seed=0)
    (prototypes,) = classifier.get_layer("head").get_weights()
    images = table.gather(np.arange(len(table))).numpy().astype(np.float32)
    vectors = unit_rows(embedder(images).numpy())
    for label in (0, 2):
        expected = unit_rows(vectors[table.catalog.labels == label].mean(axis=0, keepdims=True))[0]
        np.testing.assert_allclose(prototypes[label], expected, atol=1e-4)
    assert not prototypes[1].any(), "a class without images has a zero prototype"
    for weights, expected in zip(embedder.get_weights(), before):
        np.testing.assert_array_equal(weights, expected)


def test_imprinted_classifier_is_accurate_before_training(table):
    classifier = build_classifier(build_embedder("convnet", 24, None), 3)
    imprint_head(classifier, table, seed=0)
    images = table.gather(np.arange(len(table))).numpy().astype(np.float32)
    assert np.mean(np.argmax(classifier(images), axis=1) == table.catalog.labels) >= 0.9


def test_large_classes_are_sampled_with_the_seed(table, monkeypatch):
    monkeypatch.setattr(weight_imprinting, "MAX_PER_CLASS", 2)
    embedder = build_embedder("convnet", 24, None)
    heads = []
    for seed in (0, 0, 1):
        classifier = build_classifier(embedder, 3)
        imprint_head(classifier, table, seed)
        heads.append(classifier.get_layer("head").get_weights()[0])
    np.testing.assert_array_equal(heads[0], heads[1])
    assert (heads[0] != heads[2]).any()
