import json

import faiss
import numpy as np
import pytest

from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval import FaissRetriever
from tfretrieval.retrieval.candidates import bytes_a_vector, candidates
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.recall import recall_against_exact
from tfretrieval.retrieval.settings import IndexSettings
from tfretrieval.retrieval.tuning import Trial, Tuned, _Bench, _chosen, _worth_showing, tune


def clusters(n, part, d=16, c=60):
    centres = np.random.default_rng(0).normal(size=(c, d)) * 3
    rng = np.random.default_rng(part)
    return (centres[rng.integers(0, c, n)] + rng.normal(size=(n, d))).astype(np.float32)


@pytest.fixture(scope="module")
def tuned():
    return tune(clusters(6000, 1), 0.9)


def test_the_choice_reaches_the_target_on_fresh_queries(tuned):
    gallery = clusters(6000, 1)
    retriever = FaissRetriever(tuned.chosen.factory, search=tuned.chosen.search or None).fit(gallery)
    assert tuned.chosen.recall_at_least >= 0.9
    assert recall_against_exact(retriever, gallery, clusters(1000, 2)) >= 0.9


def test_the_choice_is_the_fastest_of_those_that_reach_the_target(tuned):
    assert tuned.chosen in tuned.table
    reaching = [trial for trial in tuned.table if trial.recall_at_least >= 0.9]
    assert tuned.chosen.queries_per_second == max(trial.queries_per_second for trial in reaching)


def test_the_table_shows_the_exact_index_and_every_kind_once_or_more(tuned):
    factories = {trial.factory for trial in tuned.table}
    assert factories == {"Flat", *(one.factory for one in candidates(4800, 16))}
    assert json.loads(json.dumps(tuned.to_json()))["chosen"]["factory"] == tuned.chosen.factory


def trial(factory, recall, speed, memory=100.0):
    return Trial(factory, {}, recall, recall, speed, memory)


def test_without_one_that_reaches_the_target_the_highest_recall_is_chosen():
    trials = [trial("Flat", 1.0, 10), trial("IVF", 0.8, 100), trial("HNSW", 0.85, 50)]
    assert _chosen(trials, 0.9).factory == "Flat"
    assert _chosen(trials[1:], 0.9).factory == "HNSW"
    assert _chosen(trials, 0.8).factory == "IVF"


def test_a_trial_that_another_beats_in_everything_is_not_shown_unless_it_is_the_best_of_its_kind():
    fast, slow, best = trial("A", 0.8, 100), trial("A", 0.7, 90), trial("B", 0.75, 80)
    assert list(_worth_showing([fast, slow, best])) == [fast, best]


def test_memory_may_be_limited(tuned):
    gallery = clusters(6000, 1)
    small = tune(gallery, 0.5, most_bytes=60)
    assert small.chosen.bytes_per_vector <= 60
    with pytest.raises(UserError, match="no index takes at most 1 bytes a vector"):
        tune(gallery, 0.5, most_bytes=1)


def test_few_vectors_are_searched_exactly_without_a_trial():
    few = tune(clusters(300, 1), 0.9)
    assert (few.chosen.factory, few.chosen.queries_per_second, len(few.table)) == ("Flat", None, 1)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_lists_around_known_centroids_are_those_around_learnt_ones(metric):
    bench = _Bench(clusters(3000, 1), metric, k=10, seed=0)
    learned, known = bench.fitted("IVF16,Flat"), bench.fitted("IVF16,Flat")
    alone = FaissRetriever("IVF16,Flat", metric).fit(bench.gallery)
    trials = [bench.trial(one, {"nprobe": 2}) for one in (learned, known, alone)]
    assert trials[0].recall == trials[1].recall == trials[2].recall < 1


@pytest.mark.parametrize("target", [0, -1, 1.1])
def test_a_target_out_of_range_is_refused(target):
    with pytest.raises(UserError, match="above 0 and at most 1"):
        tune(clusters(300, 1), target)


@pytest.mark.parametrize("factory", ["Flat", "IVF4,Flat", "IVF4,PQ8x4fs,RFlat", "SQ8", "PCA8,Flat", "HNSW32"])
def test_the_memory_of_a_vector_is_near_that_of_the_written_index(factory):
    index = FaissRetriever(factory).fit(clusters(5000, 1)).index_
    written = faiss.serialize_index(index).nbytes / 5000
    assert bytes_a_vector(index) == pytest.approx(written, rel=0.12)


@pytest.mark.parametrize("n", [1000, 5000, 200_000, 10**6])
def test_every_list_has_enough_vectors_and_large_galleries_get_no_graph(n):
    found = list(candidates(n, 128))
    lists = int(found[0].factory.split(",")[0][3:])
    assert n / lists >= 39
    assert any(one.factory.startswith("HNSW") for one in found) == (n <= 200_000)
    assert len(list(candidates(n, 6))) < len(found)


def test_an_index_built_for_a_target_keeps_what_was_tried(tmp_path, monkeypatch):
    chosen = Trial("IVF4,Flat", {"nprobe": 3}, 0.97, 0.96, 1000.0, 72.0)
    monkeypatch.setattr("tfretrieval.retrieval.tuning.tune", lambda *_: Tuned(chosen, 0.95, 10, (chosen,)))
    gallery = Embeddings.from_arrays(clusters(400, 1), np.arange(400) % 3)
    settings = IndexSettings("faiss", "euclidean", target_recall=0.95)
    Index.build(gallery, settings).save(tmp_path / "index")
    index = Index.load(tmp_path / "index")
    assert index.settings == settings
    assert index.retriever.get_params()["factory"] == "IVF4,Flat"
    assert faiss.extract_index_ivf(index.retriever.index_).nprobe == 3
    assert index.made_from["tuning"]["chosen"]["recall"] == 0.97


def test_a_target_stands_for_factory_and_parameters():
    with pytest.raises(UserError, match="give the one or the others"):
        IndexSettings("faiss", factory="Flat", target_recall=0.9)
    with pytest.raises(UserError, match="belongs to --retriever faiss"):
        IndexSettings("knn", target_recall=0.9)
