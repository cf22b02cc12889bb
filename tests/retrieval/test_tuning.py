import dataclasses
import json

import faiss
import numpy as np
import pytest

from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval.candidates import candidates
from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.recall import recall_at_k
from tfretrieval.retrieval.settings import FaissSettings
from tfretrieval.retrieval.transformed import TransformedVectors
from tfretrieval.retrieval.tuning import Trial, Tuning, _Bench, _chosen, _table, tune


def clusters(n, part, d=16, c=60):
    centers = np.random.default_rng(0).normal(size=(c, d)) * 3
    rng = np.random.default_rng(part)
    return (centers[rng.integers(0, c, n)] + rng.normal(size=(n, d))).astype(np.float32)


@pytest.fixture(scope="module")
def tuned():
    return tune(clusters(6000, 1), 0.9)


def test_the_choice_reaches_the_target_on_fresh_queries(tuned):
    gallery = clusters(6000, 1)
    retriever = FaissRetriever(tuned.chosen.factory, search=tuned.chosen.search or None).fit(gallery)
    assert tuned.chosen.recall_lower_bound >= 0.9
    assert recall_at_k(retriever, TransformedVectors(gallery), seed=5) >= 0.9


def test_the_choice_is_the_fastest_of_those_that_reach_the_target(tuned):
    assert tuned.chosen in tuned.table
    reaching = [trial for trial in tuned.table if trial.recall_lower_bound >= 0.9]
    assert tuned.chosen.queries_per_second == max(trial.queries_per_second for trial in reaching)


def test_the_table_shows_the_exact_index_and_every_kind_once_or_more(tuned):
    factories = {trial.factory for trial in tuned.table}
    assert factories == {"Flat", *(one.factory for one in candidates(4800, 16))}
    assert json.loads(json.dumps(dataclasses.asdict(tuned)))["chosen"]["factory"] == tuned.chosen.factory


def trial(factory, recall, speed, memory=100.0):
    return Trial(factory, {}, recall, recall, speed, memory)


def test_without_one_that_reaches_the_target_the_highest_recall_is_chosen(caplog):
    trials = [trial("Flat", 1.0, 10), trial("IVF", 0.8, 100), trial("HNSW", 0.85, 50)]
    assert _chosen(trials, 0.9).factory == "Flat"
    assert "HNSW reaches 0.8500" in caplog.text
    assert _chosen(trials[1:], 0.9).factory == "HNSW"
    assert _chosen(trials, 0.8).factory == "IVF"


def test_a_trial_that_another_beats_in_everything_is_not_shown_unless_it_is_the_best_of_its_kind():
    fast, slow, best = trial("A", 0.8, 100), trial("A", 0.7, 90), trial("B", 0.75, 80)
    assert list(_table([fast, slow, best])) == [fast, best]


def test_few_vectors_are_searched_exactly_without_a_trial():
    few = tune(clusters(300, 1), 0.9)
    assert (few.chosen.factory, few.chosen.queries_per_second, len(few.table)) == ("Flat", None, 1)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_lists_around_known_centroids_are_those_around_learnt_ones(metric):
    bench = _Bench(clusters(3000, 1), metric, k=10, seed=0)
    learned, known = bench.fitted("IVF16,Flat"), bench.fitted("IVF16,Flat")
    alone = FaissRetriever("IVF16,Flat", metric).fit(bench.gallery)
    trials = [bench.trial(one, {"nprobe": 2}, n_bytes=0.0) for one in (learned, known, alone)]
    assert trials[0].recall == trials[1].recall == trials[2].recall < 1


@pytest.mark.parametrize("target", [0, -1, 1.1])
def test_a_target_out_of_range_is_refused(target):
    with pytest.raises(UserError, match="above 0 and at most 1"):
        tune(clusters(300, 1), target)


def test_an_index_built_for_a_target_keeps_what_was_tried(tmp_path, monkeypatch):
    chosen = Trial("IVF4,Flat", {"nprobe": 3}, 0.97, 0.96, 1000.0, 72.0)
    monkeypatch.setattr("tfretrieval.retrieval.tuning.tune", lambda *_: Tuning(chosen, 0.95, 10, (chosen,)))
    gallery = Embeddings.from_arrays(clusters(400, 1), np.arange(400) % 3)
    settings = FaissSettings("euclidean", target_recall=0.95)
    Index.build(gallery, settings).save(tmp_path / "index")
    index = Index.load(tmp_path / "index")
    assert index.settings == settings
    assert index.retriever.get_params()["factory"] == "IVF4,Flat"
    assert faiss.extract_index_ivf(index.retriever.index_).nprobe == 3
    assert index.provenance["tuning"]["chosen"]["recall"] == 0.97
