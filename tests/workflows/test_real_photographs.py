"""Evaluation of the real photographs with real pretrained weights, without training."""

from __future__ import annotations

import numpy as np
import pytest
import pytrec_eval
from scipy.spatial.distance import cdist
from sklearn.metrics import accuracy_score, average_precision_score

from tfretrieval.data.catalog import Catalog
from tfretrieval.evaluation import rankers
from tfretrieval.evaluation.evaluator import evaluate
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import settings_for
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.fit import train
from tfretrieval.vectors import unit_rows
from tfretrieval.workflows.evaluate import evaluate_run

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def frozen(mit_split, pretrained_weights, tmp_path_factory):
    """A pretrained backbone, evaluated."""
    catalog = Catalog.from_source(mit_split)
    run = Run(tmp_path_factory.mktemp("frozen") / "run")
    config = TrainConfig.for_recipe(
        "resnet", backbone="mobilenet_v2_0.35", weights=str(pretrained_weights), epochs=0, seed=0
    )
    train(catalog, config, run)
    return evaluate_run(run, catalog)


def test_pretrained_features_have_their_known_metrics(frozen):
    evaluation = frozen.evaluation
    assert (evaluation.n_queries, evaluation.n_gallery, evaluation.dim) == (807, 1881, 1280)
    assert evaluation.metrics["precision_at_1"] == pytest.approx(0.911, abs=0.01)
    assert evaluation.metrics["map"] == pytest.approx(0.676, abs=0.01)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("pca", [None, 64, 0.9])
def test_knn_and_faiss_give_the_same_neighbors(frozen, metric, pca):
    queries, gallery = frozen.queries, frozen.gallery
    knn, faiss = (Index.build(gallery, settings_for(kind, metric=metric, pca=pca)) for kind in ("knn", "faiss"))
    assert faiss.retriever.is_exact
    for k in (10, len(gallery)):
        by_knn, by_faiss = (index.search(queries, k) for index in (knn, faiss))
        np.testing.assert_allclose(by_knn.distances, by_faiss.distances, rtol=1e-5, atol=1e-6)
        assert by_knn.rows.shape == (807, k)
        assert (by_knn.rows != by_faiss.rows).mean() < 1e-3, "rows differ beyond ties"
    metrics = [evaluate(index, queries, n_bootstrap=0).metrics for index in (knn, faiss)]
    assert metrics[0] == pytest.approx(metrics[1], abs=1e-6)


def test_metrics_are_those_of_scikit_learn(frozen):
    evaluation, queries, gallery = frozen.evaluation, frozen.queries, frozen.gallery
    vectors = unit_rows(queries.vectors), unit_rows(gallery.vectors)
    distances = (cdist(*vectors, "sqeuclidean") / 2).astype(np.float32)  # cdist computes in float64
    relevant = queries.items.labels[:, None] == gallery.items.labels
    expected = [average_precision_score(*one) for one in zip(relevant, -distances)]
    np.testing.assert_allclose(evaluation.per_query["average_precision"], expected, atol=1e-6)
    assert evaluation.metrics["map"] == pytest.approx(np.mean(expected), abs=1e-6)
    accuracy = accuracy_score(queries.items.labels, gallery.items.labels[distances.argmin(axis=1)])
    assert evaluation.metrics["precision_at_1"] == pytest.approx(accuracy, abs=1e-12)
    assert np.trace(evaluation.confusion) / evaluation.confusion.sum() == evaluation.metrics["precision_at_1"]


def test_metrics_are_those_of_trec_eval(frozen):
    evaluation, queries, gallery = frozen.evaluation, frozen.queries.items, frozen.gallery.items
    neighbors = frozen.index.search(frozen.queries, len(gallery)).rows
    of_class = [dict.fromkeys(gallery.ids[gallery.labels == label], 1) for label in range(8)]
    wanted = {q: of_class[label] for q, label in zip(queries.ids, queries.labels)}
    run = {
        q: {gallery.ids[row]: float(-rank) for rank, row in enumerate(rows)} for q, rows in zip(queries.ids, neighbors)
    }
    measures = {"P.3,5,10", "ndcg_cut.3,10", "recall.5", "success.10", "recip_rank", "Rprec", "map_cut.10"}
    by_query = pytrec_eval.RelevanceEvaluator(wanted, measures).evaluate(run)
    mean = {name: np.mean([values[name] for values in by_query.values()]) for name in next(iter(by_query.values()))}
    for ours, theirs in {
        "precision_at_3": "P_3", "precision_at_5": "P_5", "precision_at_10": "P_10", "ndcg_at_3": "ndcg_cut_3",
        "ndcg_at_10": "ndcg_cut_10", "recall_at_5": "recall_5", "hit_rate_at_10": "success_10", "mrr": "recip_rank",
        "r_precision": "Rprec",
    }.items():  # fmt: skip
        assert evaluation.metrics[ours] == pytest.approx(mean[theirs], abs=1e-6), ours


def test_blocks_do_not_change_the_result(frozen, monkeypatch):
    monkeypatch.setattr(rankers, "MAX_QUERIES_PER_BLOCK", 10)
    small = evaluate(frozen.index, frozen.queries)
    assert small.metrics == pytest.approx(frozen.evaluation.metrics, abs=1e-12)
    assert small.per_class == frozen.evaluation.per_class
