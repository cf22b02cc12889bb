"""Items are added and removed without a rebuild."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.knn import KNNRetriever
from tfretrieval.retrieval.settings import load_class, load_retriever, settings_for

CHANGEABLE = [
    ("knn", {}),
    ("faiss", {}),
    ("faiss", {"factory": "IVF4,Flat", "search": {"nprobe": 4}}),
    ("faiss", {"factory": "L2norm,IVF4,Flat", "search": {"nprobe": 4}}),
    ("faiss", {"factory": "PCA8,Flat"}),
    ("faiss", {"factory": "SQ8"}),
]


def make_retriever(kind, **options):
    return load_class(kind)(**options)


def vectors(n, d=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(["knn", "faiss"]), st.sampled_from(["euclidean", "cosine"]))
def test_an_updated_exact_retriever_equals_one_fitted_on_the_result(data, kind, metric):
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
def test_rows_are_renumbered_after_updates_and_saving(kind, options, metric, tmp_path):
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
def test_an_index_that_cannot_remove_items_stays_unchanged(factory):
    retriever = FaissRetriever(factory).fit(vectors(700))
    before = retriever.kneighbors(vectors(5, seed=1), 3)[1]
    with pytest.raises(UserError, match="cannot remove items") as caught:
        retriever.remove([1])
    assert repr(factory) in str(caught.value)
    np.testing.assert_array_equal(retriever.kneighbors(vectors(5, seed=1), 3)[1], before)
    assert retriever.add(vectors(5, seed=1)).n_items_ == 705
    assert (retriever.kneighbors(vectors(5, seed=1), 1)[1][:, 0] == np.arange(700, 705)).mean() > 0.5


@pytest.mark.parametrize(
    "rows",
    [
        [5],
        [-1],
        [1, 1],
        [0.5],
        [[1]],
        range(5),
    ],
)
def test_invalid_rows_are_not_removed(rows):
    with pytest.raises(UserError):
        KNNRetriever().fit(vectors(5)).remove(rows)


def test_other_dimensions_and_unfitted_retrievers_are_refused():
    with pytest.raises(UserError, match="dimensions"):
        KNNRetriever().fit(vectors(5)).add(vectors(1, 3))
    with pytest.raises(UserError, match="not fitted"):
        FaissRetriever().add(vectors(1))


def store(n, prefix, seed=0, names=("a", "b")):
    labels = np.arange(n) % len(names)
    return Embeddings.from_arrays(vectors(n, seed=seed), labels, names, [f"{prefix}{i}" for i in range(n)])


@pytest.mark.parametrize("kind", ["knn", "faiss"])
def test_an_index_changes_with_its_items(kind, tmp_path):
    gallery, new = store(30, "g"), store(6, "n", seed=1, names=("c", "b"))
    index = Index.build(gallery, settings_for(kind, pca=4))
    index.provenance = {"recall_at_10": 0.5, "note": "x"}
    fingerprint = index.gallery_fingerprint
    index.add(new)
    index.remove(["g3", "n0"])
    assert index.items.class_names == ("a", "b", "c")
    assert [index.items.class_of(row) for row in (-2, -1)] == ["c", "b"]
    assert index.gallery_fingerprint != fingerprint
    index.save(tmp_path / "index")
    loaded = Index.load(tmp_path / "index")
    assert dict(loaded.provenance) == {"note": "x"}
    left = gallery.concat(new)
    left = left.subset(~np.isin(left.items.ids.astype(str), ["g3", "n0"]))
    found = loaded.items.ids[loaded.search(left.vectors, 1).rows[:, 0]]
    assert found.tolist() == left.items.ids.tolist()


def test_invalid_changes_of_an_index_are_refused_and_change_nothing():
    index = Index.build(store(30, "g"))
    for change in (
        lambda: index.add(store(2, "g")),
        lambda: index.add(Embeddings.from_arrays(vectors(1, 3), ids=["new"])),
        lambda: index.remove(["g1", "nobody"]),
        lambda: index.remove(["g1", "g1"]),
        lambda: index.remove(list(index.items.ids)),
    ):
        with pytest.raises(UserError):
            change()
    assert index.retriever.n_items_ == 30
