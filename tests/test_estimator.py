"""Tests of the parameter interface of scikit-learn."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.knn import KNNRetriever
from tfretrieval.retrieval.transform import Transform


def test_parameters_are_the_arguments_of_the_constructor():
    retriever = FaissRetriever(metric="cosine")
    assert retriever.get_params() == {"factory": "Flat", "metric": "cosine", "search": None}
    assert retriever.set_params(factory="HNSW8") is retriever
    assert repr(retriever) == "FaissRetriever(factory='HNSW8', metric='cosine')"
    with pytest.raises(ValueError, match="depth"):
        retriever.set_params(depth=3)


def test_estimator_works_with_clone_and_pipelines():
    assert clone(Transform(pca=2)).get_params() == Transform(pca=2).get_params()
    vectors = np.random.default_rng(0).normal(size=(20, 5))
    pipeline = make_pipeline(Transform(normalize=True), Transform(pca=2))
    expected = Transform(pca=2).fit_transform(Transform(normalize=True).fit_transform(vectors))
    np.testing.assert_allclose(pipeline.fit_transform(vectors), expected, rtol=1e-5)
    assert "Transform(pca=2)" in repr(pipeline)


def test_queries_do_not_import_scikit_learn(tmp_path):
    KNNRetriever(metric="cosine").fit(np.eye(40)).save(tmp_path)
    code = (
        "import sys, numpy as np; from tfretrieval.retrieval.settings import load_retriever; "
        f"print(load_retriever({str(tmp_path)!r}).kneighbors(np.eye(40)[3:4], 1)[1][0, 0]); "
        "assert 'sklearn' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "3\n"
