"""Items come and go without building the index anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval import FaissRetriever, KNNRetriever, load_retriever, make_retriever
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import IndexSettings

CHANGEABLE = [
    ("knn", {}),
    ("faiss", {}),
    ("faiss", {"factory": "IVF4,Flat", "search": {"nprobe": 4}}),
    ("faiss", {"factory": "L2norm,IVF4,Flat", "search": {"nprobe": 4}}),
    ("faiss", {"factory": "PCA8,Flat"}),
    ("faiss", {"factory": "SQ8"}),
]


def vectors(n, d=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(["knn", "faiss"]), st.sampled_from(["euclidean", "cosine"]))
def test_after_any_changes_an_exact_retriever_answers_as_one_fitted_anew(data, kind, metric):
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    gallery = rng.integers(-2, 3, (20, 3)).astype(np.float32)
    retriever = make_retriever(kind, metric=metric).fit(gallery)
    for _ in range(3):
        if data.draw(st.booleans()):
            new = rng.integers(-2, 3, (data.draw(st.integers(0, 5)), 3)).astype(np.float32)
            retriever.add(new)
            gallery = np.concatenate([gallery, new])
        else:
            gone = rng.choice(len(gallery), data.draw(st.integers(0, len(gallery) - 1)), replace=False)
            retriever.remove(gone)
            gallery = np.delete(gallery, gone, axis=0)
    found = retriever.kneighbors(gallery, len(gallery))
    expected = make_retriever(kind, metric=metric).fit(gallery).kneighbors(gallery, len(gallery))
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_array_equal(found[0], expected[0])


@pytest.mark.parametrize(("kind", "options"), CHANGEABLE)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_rows_are_those_of_what_is_left_also_after_a_round_trip(kind, options, metric, tmp_path):
    gallery, more = vectors(300), vectors(40, seed=1)
    retriever = make_retriever(kind, metric=metric, **options).fit(gallery)
    gone = np.arange(0, 300, 3)
    retriever.remove(gone).add(more).remove([0])
    left = np.concatenate([np.delete(gallery, gone, axis=0), more])[1:]
    retriever.save(tmp_path)
    for one in (retriever, load_retriever(tmp_path)):
        assert one.n_items_ == len(left)
        rows = one.kneighbors(left, 3)[1]
        assert (rows == np.arange(len(left))[:, None]).any(axis=1).mean() > 0.95
        assert rows.max() < len(left)


@pytest.mark.parametrize("factory", ["HNSW8", "IDMap,Flat", "IVF4,PQ4x4fs,RFlat"])
def test_kinds_that_cannot_remove_say_so_and_stay_as_they_were(factory):
    retriever = FaissRetriever(factory).fit(vectors(700))
    before = retriever.kneighbors(vectors(5, seed=1), 3)[1]
    with pytest.raises(UserError, match="cannot remove items") as caught:
        retriever.remove([1])
    assert repr(factory) in str(caught.value)
    np.testing.assert_array_equal(retriever.kneighbors(vectors(5, seed=1), 3)[1], before)
    assert retriever.add(vectors(5, seed=1)).n_items_ == 705
    assert (retriever.kneighbors(vectors(5, seed=1), 1)[1][:, 0] == np.arange(700, 705)).mean() > 0.5


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([5], "0 to 4"),
        ([-1], "0 to 4"),
        ([1, 1], "different"),
        ([0.5], "whole"),
        ([[1]], "list"),
        (range(5), "lose all"),
    ],
)
def test_rows_that_cannot_be_removed(rows, words):
    with pytest.raises(UserError, match=words):
        KNNRetriever().fit(vectors(5)).remove(rows)


def test_other_dimensions_and_unfitted_retrievers_are_refused():
    with pytest.raises(UserError, match="3 dimensions where 8"):
        KNNRetriever().fit(vectors(5)).add(vectors(1, 3))
    with pytest.raises(UserError, match="not fitted"):
        FaissRetriever().add(vectors(1))


def store(n, prefix, seed=0, names=("a", "b")):
    labels = np.arange(n) % len(names)
    return Embeddings.from_arrays(vectors(n, seed=seed), labels, names, [f"{prefix}{i}" for i in range(n)])


@pytest.mark.parametrize("kind", ["knn", "faiss"])
def test_an_index_and_its_gallery_change_together(kind, tmp_path):
    gallery, new = store(30, "g"), store(6, "n", seed=1, names=("c", "b"))
    index = Index.build(gallery, IndexSettings(kind, "cosine", pca=4), {"recall_at_10": 0.5, "note": "x"})
    index, gallery = index.add(gallery, new)
    index, gallery = index.remove(gallery, ["g3", "n0"])
    assert gallery.class_names == ("a", "b", "c")
    assert [gallery.class_names[label] for label in gallery.labels[-2:]] == ["c", "b"]
    index.save(tmp_path / "index")
    index = Index.load(tmp_path / "index")
    assert index.gallery == gallery.fingerprint
    assert dict(index.made_from) == {"note": "x", "added": 6, "removed": 2}
    found = gallery.ids[index.search(gallery.vectors, 1)[1][:, 0]]
    assert found.tolist() == gallery.ids.tolist()
    assert "g3" not in found


def test_what_an_index_cannot_take_in_or_let_go():
    gallery = store(30, "g")
    index = Index.build(gallery, IndexSettings())
    for call, words in (
        (lambda: index.add(store(30, "x"), store(2, "n")), "not built from this gallery"),
        (lambda: index.add(gallery, store(2, "g")), "ids must be unique"),
        (lambda: index.remove(gallery, ["g1", "nobody"]), "no item 'nobody'"),
        (lambda: index.remove(gallery, ["g1", "g1"]), "different"),
        (lambda: index.remove(gallery, list(gallery.ids)), "lose all"),
    ):
        with pytest.raises(UserError, match=words):
            call()
    assert index.retriever.n_items_ == 30
