"""From a run to an evaluation."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tfretrieval.evaluation.result import Evaluation
from tfretrieval.workflows.evaluate import evaluate_run


@pytest.mark.parametrize("retriever", ["knn", "faiss"])
def test_the_result_is_kept_with_what_it_was_made_from(run, catalog, retriever):
    done = evaluate_run(run, catalog, retriever)
    kept = Evaluation.load(run.evaluation(retriever))
    assert kept.metrics == pytest.approx(done.evaluation.metrics)
    assert kept.made_from["model"] == run.model_fingerprint()
    assert (kept.made_from["query_split"], kept.made_from["gallery_split"]) == ("test", "train")
    assert (kept.n_queries, kept.n_gallery) == (9, 18)


def test_a_split_against_itself_does_not_find_the_query(run, catalog):
    done = evaluate_run(run, catalog, query_split="train", gallery_split="train", ks=(1,))
    assert done.evaluation.n_queries == 18
    assert (done.evaluation.per_query["id"] != done.evaluation.per_query["nearest_id"]).all()
    assert np.trace(done.evaluation.confusion) / 18 == pytest.approx(done.evaluation.metrics["precision_at_1"])


def test_what_is_not_to_be_kept_is_not(run, catalog):
    evaluate_run(run, catalog, keep=False)
    assert not run.evaluation("knn").exists()


def test_an_evaluation_that_is_there_is_used_only_where_nothing_has_changed(run, catalog):
    first = evaluate_run(run, catalog, "faiss", ks=(1, 2)).evaluation
    again = evaluate_run(run, catalog, "faiss", reuse=True).evaluation
    assert "precision_at_2" in again.metrics, "it was read, not made"
    assert again.seconds == first.seconds
    other = evaluate_run(run, catalog, "faiss", reuse=True, pca=2).evaluation
    assert other.dim == 2
    assert "precision_at_2" not in other.metrics


def test_the_time_of_one_query_is_measured(run, catalog):
    assert 0 < evaluate_run(run, catalog).evaluation.seconds["one_query"] < 1


def test_what_embedding_took_is_recorded_but_not_of_a_rest(run, catalog):
    done = evaluate_run(run, catalog)
    costs = run.costs()["embeddings/train"]
    assert (costs["of"], costs["items"], costs["engine"]) == (done.gallery.fingerprint, 18, "keras")
    assert costs["seconds"] > 0
    assert done.index.made_from["build_seconds"] > 0
    shutil.rmtree(run.embeddings("train"))
    run.costs_path.unlink()
    (run.embeddings("train").parent / ".partial-train").mkdir()
    evaluate_run(run, catalog)
    assert "embeddings/train" not in run.costs()


def test_an_evaluation_of_another_index_is_not_used(run, catalog):
    evaluate_run(run, catalog, "faiss")
    kept = (run.evaluation("faiss") / "metrics.json").stat()
    exact = evaluate_run(run, catalog, "faiss", reuse=True).evaluation
    assert (run.evaluation("faiss") / "metrics.json").stat().st_ino == kept.st_ino
    other = evaluate_run(run, catalog, "faiss", reuse=True, factory="HNSW8,Flat").evaluation
    assert "factory" not in exact.made_from
    assert other.made_from["factory"] == "HNSW8,Flat"
    assert evaluate_run(run, catalog, "faiss", reuse=True).evaluation.made_from == other.made_from
    assert (run.evaluation("faiss") / "metrics.json").stat().st_ino != kept.st_ino
