"""The whole way on the real photographs, with real pre-trained weights and no training."""

from __future__ import annotations

import numpy as np
import pytest
import pytrec_eval
from sklearn.metrics import accuracy_score, average_precision_score

from tfretrieval.data.catalog import Catalog
from tfretrieval.evaluation.evaluator import evaluate
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import IndexSettings
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.fit import train
from tfretrieval.workflows.evaluate import evaluate_run

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def frozen(mit_split, pretrained_weights, tmp_path_factory):
    """The evaluation of a backbone as it came, with queries, gallery and index."""
    catalog = Catalog.from_source(mit_split)
    run = Run(tmp_path_factory.mktemp("frozen") / "run")
    config = TrainConfig.for_recipe(
        "resnet", backbone="mobilenet_v2_0.35", weights=str(pretrained_weights), epochs=0, seed=0
    )
    train(catalog, config, run)
    return evaluate_run(run, catalog)


def test_frozen_features_retrieve_as_well_as_they_are_known_to(frozen):
    evaluation = frozen.evaluation
    assert (evaluation.n_queries, evaluation.n_gallery, evaluation.dim) == (807, 1881, 1280)
    assert evaluation.metrics["precision_at_1"] == pytest.approx(0.911, abs=0.01)
    assert evaluation.metrics["map"] == pytest.approx(0.676, abs=0.01)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("pca", [None, 64, 0.9])
def test_knn_and_faiss_give_the_same_neighbors(frozen, metric, pca):
    queries, gallery = frozen.queries, frozen.gallery
    knn, faiss = (Index.build(gallery, IndexSettings(kind, metric, pca)) for kind in ("knn", "faiss"))
    assert faiss.retriever.is_exact
    for k in (10, len(gallery)):
        (distances, rows), (others, other_rows) = (index.search(queries.vectors, k) for index in (knn, faiss))
        np.testing.assert_allclose(distances, others, rtol=1e-5, atol=1e-6)
        assert rows.shape == (807, k)
        differ = rows != other_rows
        np.testing.assert_allclose(distances[differ], others[differ], rtol=1e-5, err_msg="rows differ beyond ties")
        assert differ.mean() < 1e-3


def test_metrics_are_those_of_scikit_learn(frozen):
    evaluation, queries, gallery = frozen.evaluation, frozen.queries, frozen.gallery
    distances, rows = frozen.index.search(queries.vectors, len(gallery))
    relevant = gallery.labels[rows] == queries.labels[:, None]
    expected = [average_precision_score(one, -far) for one, far in zip(relevant, distances)]
    np.testing.assert_allclose(evaluation.per_query["average_precision"], expected, atol=1e-6)
    assert evaluation.metrics["map"] == pytest.approx(np.mean(expected), abs=1e-6)
    accuracy = accuracy_score(queries.labels, gallery.labels[rows[:, 0]])
    assert evaluation.metrics["precision_at_1"] == pytest.approx(accuracy, abs=1e-12)
    assert np.trace(evaluation.confusion) / evaluation.confusion.sum() == evaluation.metrics["precision_at_1"]


def test_metrics_are_those_of_trec_eval(frozen):
    evaluation, queries, gallery = frozen.evaluation, frozen.queries, frozen.gallery
    _, rows = frozen.index.search(queries.vectors, len(gallery))
    of_class = [dict.fromkeys(gallery.ids[gallery.labels == label], 1) for label in range(8)]
    wanted = {q: of_class[label] for q, label in zip(queries.ids, queries.labels)}
    run = {q: {gallery.ids[row]: float(-rank) for rank, row in enumerate(found)} for q, found in zip(queries.ids, rows)}
    measures = {"P.3,5,10", "ndcg_cut.3,10", "recall.5", "success.10", "recip_rank", "Rprec", "map_cut.10"}
    by_query = pytrec_eval.RelevanceEvaluator(wanted, measures).evaluate(run)
    mean = {name: np.mean([values[name] for values in by_query.values()]) for name in next(iter(by_query.values()))}
    for ours, theirs in {
        "precision_at_3": "P_3", "precision_at_5": "P_5", "precision_at_10": "P_10", "ndcg_at_3": "ndcg_cut_3",
        "ndcg_at_10": "ndcg_cut_10", "recall_at_5": "recall_5", "hit_rate_at_10": "success_10", "mrr": "recip_rank",
        "r_precision": "Rprec",
    }.items():  # fmt: skip
        assert evaluation.metrics[ours] == pytest.approx(mean[theirs], abs=1e-6), ours


def test_blocks_do_not_change_the_result(frozen):
    index = frozen.index
    small = evaluate(index.retriever, frozen.queries, frozen.gallery, index.transform, block_bytes=1 << 20)
    assert small.metrics == pytest.approx(frozen.evaluation.metrics, abs=1e-12)
    assert small.per_class == frozen.evaluation.per_class
