"""Settings of the retriever types."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tfretrieval.errors import UserError
from tfretrieval.retrieval.settings import (
    SETTINGS,
    FaissSettings,
    KNNSettings,
    MilvusSettings,
    load_class,
    settings_for,
)

VECTORS = np.eye(4, dtype=np.float32)


@pytest.mark.parametrize(
    ("given", "owner"),
    [
        ({"factory": "Flat"}, "faiss"),
        ({"nprobe": 2}, "faiss"),
        ({"target_recall": 0.9}, "faiss"),
        ({"uri": "a.db"}, "milvus"),
        ({"index_params": {"M": 16}}, "milvus"),
        ({"token_env": "TOKEN"}, "milvus"),
    ],
)
def test_an_option_of_another_retriever_is_refused_with_its_owner(given, owner):
    with pytest.raises(UserError, match=f"--retriever {owner}"):
        settings_for("knn", **given)
    assert settings_for(owner, **given).retriever == owner


def test_unknown_retrievers_and_options_are_refused_with_the_known_ones():
    with pytest.raises(UserError, match="knn, faiss, milvus"):
        settings_for("annoy")
    with pytest.raises(UserError, match="factory"):
        settings_for("faiss", colour="red")


@pytest.mark.parametrize("given", [{"factory": "Flat"}, {"nprobe": 2}])
def test_a_target_recall_contradicts_what_it_chooses(given):
    with pytest.raises(UserError, match="--target-recall"):
        FaissSettings(target_recall=0.9, **given)
    assert FaissSettings(**given).replace(target_recall=0.9) == FaissSettings(target_recall=0.9)
    assert FaissSettings(target_recall=0.9).replace(**given) == FaissSettings(**given)


def test_vectors_are_normalized_around_pca_for_the_cosine_metric():
    transform = FaissSettings("cosine", pca=4).new_transform()
    assert (transform.normalize, transform.pca, transform.renormalize) == (True, 4, True)
    for settings in (FaissSettings("cosine"), FaissSettings("euclidean", pca=4)):
        transform = settings.new_transform()
        assert not transform.normalize
        assert not transform.renormalize


def test_options_reach_their_retriever(tmp_path):
    retriever, notes = FaissSettings(factory="IVF4,Flat", nprobe=3).new_retriever(VECTORS)
    assert (retriever.factory, retriever.search, notes) == ("IVF4,Flat", {"nprobe": 3}, {})
    retriever, _ = MilvusSettings(index_type="HNSW", index_params={"M": 4}).new_retriever(VECTORS, tmp_path / "i")
    assert (retriever.uri, retriever.index_type, retriever.index_params) == (f"{tmp_path}/i.db", "HNSW", {"M": 4})
    with pytest.raises(UserError, match="--uri"):
        MilvusSettings().new_retriever(VECTORS)


def test_a_database_beside_the_index_moves_with_it(tmp_path):
    retriever, _ = MilvusSettings().new_retriever(VECTORS, tmp_path / "old")
    MilvusSettings().relocate(retriever, tmp_path / "new")
    assert retriever.uri == f"{tmp_path}/new.db"
    MilvusSettings(uri="http://host:1").relocate(retriever, tmp_path / "other")
    assert retriever.uri == f"{tmp_path}/new.db"


def test_settings_come_back_from_json():
    for settings in (KNNSettings(pca=0.5), FaissSettings(factory="HNSW8"), MilvusSettings(search_params={"ef": 9})):
        assert settings_for(**json.loads(json.dumps(settings.to_json()))) == settings


def test_descriptions_name_index_type_and_transform():
    assert KNNSettings().describe() == "KNN"
    assert FaissSettings(factory="HNSW32", pca=0.95).describe() == "FAISS HNSW32, PCA 0.95"
    assert MilvusSettings(index_type="HNSW").describe() == "Milvus HNSW"
    assert KNNSettings(standardize=True, pca=8, whiten=True).describe() == "KNN, standardized, PCA 8, whitened"


def test_the_registry_knows_every_type_by_its_own_name():
    for name in SETTINGS:
        assert load_class(name).type_name == SETTINGS[name].retriever == name
