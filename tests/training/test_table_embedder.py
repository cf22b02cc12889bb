"""Tests of embedding the rows of a table."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.images import ImageTable
from tfretrieval.models.embedder import build_embedder
from tfretrieval.models.head import backbone_of, head_of
from tfretrieval.training import table_embedder
from tfretrieval.training.features import FeatureTable
from tfretrieval.training.table_embedder import TableEmbedder


@pytest.fixture
def embedder():
    return build_embedder("convnet", 24, 10)


@pytest.fixture(scope="module")
def table(scenes):
    return ImageTable(Catalog.from_source(scenes), 24)


def test_embeddings_are_those_of_the_model_in_order(embedder, table, monkeypatch):
    monkeypatch.setattr(table_embedder, "IMAGES_PER_CALL", 5)
    expected = embedder(table.gather(np.arange(len(table))).numpy().astype(np.float32))
    np.testing.assert_allclose(TableEmbedder(embedder).embed(table), expected, rtol=1e-4, atol=1e-5)


def test_embeddings_of_rows_are_in_the_order_of_the_rows(embedder, table):
    rows = np.array([8, 2, 8])
    full = TableEmbedder(embedder).embed(table)
    np.testing.assert_allclose(TableEmbedder(embedder).embed(table, rows), full[rows], rtol=1e-4, atol=1e-5)


def test_head_embeds_features(embedder, table):
    features = TableEmbedder(backbone_of(embedder)).embed(table)
    actual = TableEmbedder(head_of(embedder)).embed(FeatureTable(table.catalog, features))
    np.testing.assert_allclose(actual, TableEmbedder(embedder).embed(table), rtol=1e-4, atol=1e-5)
