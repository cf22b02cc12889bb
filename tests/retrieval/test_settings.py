"""How an index is built, and what does not go together."""

from __future__ import annotations

import pytest

from tfretrieval.errors import UserError
from tfretrieval.retrieval.settings import IndexSettings


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"factory": "Flat"}, "faiss"),
        ({"nprobe": 2}, "faiss"),
        ({"target_recall": 0.9}, "faiss"),
        ({"uri": "a.db"}, "milvus"),
        ({"index_params": {"M": 16}}, "milvus"),
        ({"token_env": "TOKEN"}, "milvus"),
    ],
)
def test_an_option_of_another_kind_is_refused(given, kind):
    with pytest.raises(UserError, match=f"belongs to --retriever {kind}"):
        IndexSettings(retriever="knn", **given)
    IndexSettings(retriever=kind, **given)


@pytest.mark.parametrize("given", [{"factory": "Flat"}, {"nprobe": 2}])
def test_a_target_recall_chooses_by_itself(given):
    with pytest.raises(UserError, match="give the one or the others"):
        IndexSettings(retriever="faiss", target_recall=0.9, **given)


def test_cosine_is_put_on_the_unit_sphere_around_what_reduces():
    transform, retriever = IndexSettings(metric="cosine", pca=4).unfitted()
    assert (transform.normalize, transform.pca, transform.renormalize) == (True, 4, True)
    assert retriever.metric == "cosine"
    for settings in (IndexSettings(metric="cosine"), IndexSettings(metric="euclidean", pca=4)):
        transform, _ = settings.unfitted()
        assert not transform.normalize
        assert not transform.renormalize


def test_options_reach_their_retriever():
    _, retriever = IndexSettings(retriever="faiss", factory="IVF4,Flat", nprobe=3).unfitted()
    assert retriever.get_params()["factory"] == "IVF4,Flat"
    assert retriever.get_params()["search"] == {"nprobe": 3}
