"""From a run to an evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from tfretrieval.evaluation.result import Evaluation
from tfretrieval.steps.evaluate import evaluate_run


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
