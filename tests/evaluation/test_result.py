import json
from dataclasses import fields

import numpy as np
import pytest

from tfretrieval.artifacts import CorruptArtifact, MissingArtifact
from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation import Evaluation, evaluate
from tfretrieval.retrieval.index import Index

NAMES = ["coast, rocky", 'the "forest"', "überall\nhier"]


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    labels = [rng.integers(0, 3, n) for n in (30, 70)]
    queries, gallery = (
        Embeddings.from_arrays(rng.normal(size=(len(own), 4)), own, NAMES, [f"{who}/{i}" for i in range(len(own))])
        for who, own in zip("qg", labels)
    )
    return evaluate(Index.build(gallery), queries, n_bootstrap=50)


def test_a_round_trip_through_disk_changes_nothing(found, tmp_path):
    provenance = {"queries": "abc", "gallery": "def"}
    written = found.save(tmp_path / "e", provenance)
    loaded = Evaluation.load(tmp_path / "e")
    assert loaded.provenance == written.provenance == provenance
    for field in fields(Evaluation):
        ours, theirs = getattr(written, field.name), getattr(loaded, field.name)
        if field.name in ("curves", "per_query"):
            assert list(ours) == list(theirs)
            for name in ours:
                for one, other in zip(ours[name], theirs[name]):
                    np.testing.assert_array_equal(one, other)
        elif field.name == "confusion":
            np.testing.assert_array_equal(ours, theirs)
        else:
            assert ours == theirs, field.name


def test_the_json_has_the_agreed_form_and_plain_values(found):
    values = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert {"retriever", "n_queries", "n_gallery", "dim", "chance_precision"} <= set(values)
    assert {"metrics", "per_class", "confusion", "seconds", "intervals", "macro"} <= set(values)
    for name in ("precision_at_1", "precision_at_3", "precision_at_5", "precision_at_10", "map", "map_at_r"):
        assert 0 <= values["metrics"][name] <= 1
    assert {"r_precision", "hit_rate_at_1", "hit_rate_at_10", "mrr", "knn_accuracy"} <= set(values["metrics"])
    assert values["n_queries"] == 30
    assert np.sum(values["confusion"]) == 30
    assert set(values["seconds"]) == {"search", "metrics"}


def test_all_files_of_the_folder_are_there(found, tmp_path):
    found.save(tmp_path / "e")
    names = {path.name for path in (tmp_path / "e").iterdir()}
    assert names == {"metrics.json", "per_class.csv", "confusion.csv", "pr_curves.csv", "per_query.csv"}
    assert [path.name for path in tmp_path.iterdir()] == ["e"]


def test_damage_is_told_in_one_line(found, tmp_path):
    with pytest.raises(MissingArtifact):
        Evaluation.load(tmp_path)
    found.save(tmp_path / "e")
    per_query = tmp_path / "e" / "per_query.csv"
    whole = per_query.read_text(encoding="utf-8")
    for damaged in (whole[: len(whole) // 2], ""):
        per_query.write_text(damaged, encoding="utf-8")
        with pytest.raises(CorruptArtifact) as caught:
            Evaluation.load(tmp_path / "e")
        assert "\n" not in str(caught.value)
    (tmp_path / "e" / "metrics.json").write_text('{"format": 7}')
    with pytest.raises(CorruptArtifact, match="7"):
        Evaluation.load(tmp_path / "e")


def test_the_hardest_queries_have_the_lowest_average_precision(found):
    precision = found.per_query["average_precision"]
    np.testing.assert_array_equal(precision[found.hardest_queries(5)], np.sort(precision)[:5])
    assert len(found.hardest_queries(99)) == 30
