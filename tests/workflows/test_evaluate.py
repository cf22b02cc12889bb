"""Evaluations of a run are saved, and reused while nothing has changed."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from tfretrieval.evaluation.result import Evaluation
from tfretrieval.workflows.embed import EmbedOptions
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.index import IndexRequest


@pytest.mark.parametrize("retriever", ["knn", "faiss"])
def test_the_result_is_saved_with_its_provenance(run, catalog, retriever):
    evaluation = evaluate_run(run, catalog, IndexRequest(retriever)).evaluation
    saved = Evaluation.load(run.evaluation(retriever))
    assert saved.metrics == pytest.approx(evaluation.metrics)
    assert saved.provenance["model"] == run.model_fingerprint()
    assert (saved.provenance["query_split"], saved.provenance["gallery_split"]) == ("test", "train")
    assert (saved.n_queries, saved.n_gallery) == (9, 18)


def test_each_retriever_searches_every_query_with_its_own_library(run, catalog, monkeypatch):
    searched = {"scikit-learn": 0, "FAISS": 0}

    def count(cls, method, library):
        original = getattr(cls, method)

        def counted(self, x, *args, **options):
            searched[library] += len(x)
            return original(self, x, *args, **options)

        monkeypatch.setattr(cls, method, counted)

    count(NearestNeighbors, "kneighbors", "scikit-learn")
    count(faiss.IndexFlat, "search", "FAISS")
    evaluate_run(run, catalog, IndexRequest("knn"))
    assert searched["scikit-learn"] >= 9
    assert searched["FAISS"] == 0
    searched["scikit-learn"] = 0
    evaluate_run(run, catalog, IndexRequest("faiss"))
    assert searched["FAISS"] >= 9
    assert searched["scikit-learn"] == 0


def test_a_split_against_itself_excludes_the_query(run, catalog):
    options = EmbedOptions(query_split="train", gallery_split="train")
    evaluation = evaluate_run(run, catalog, options=options, ks=(1,)).evaluation
    assert evaluation.n_queries == 18
    assert (evaluation.per_query["id"] != evaluation.per_query["nearest_id"]).all()
    assert np.trace(evaluation.confusion) / 18 == pytest.approx(evaluation.metrics["precision_at_1"])


def test_a_saved_evaluation_is_reused_only_for_the_same_index_and_k(run, catalog):
    first = evaluate_run(run, catalog, ks=(1, 2)).evaluation
    again = evaluate_run(run, catalog, ks=(1, 2), reuse=True).evaluation
    assert again.seconds == first.seconds
    assert "precision_at_2" not in evaluate_run(run, catalog, reuse=True).evaluation.metrics
    reduced = evaluate_run(run, catalog, IndexRequest(changes={"pca": 2}), reuse=True).evaluation
    assert reduced.dim == 2
    graph = evaluate_run(run, catalog, IndexRequest(changes={"factory": "HNSW8,Flat"}), reuse=True).evaluation
    assert graph.provenance["index"] == "FAISS HNSW8,Flat, PCA 2"


def test_the_time_of_one_query_is_measured(run, catalog):
    assert 0 < evaluate_run(run, catalog).evaluation.seconds["one_query"] < 1


def test_times_of_embedding_and_indexing_are_recorded(run, catalog):
    done = evaluate_run(run, catalog)
    assert done.gallery.provenance["embedding_seconds"] > 0
    assert done.index.provenance["build_seconds"] > 0
