"""An index comes back as it was, in another process too."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import IndexSettings

SETTINGS = [
    IndexSettings("knn", "cosine", pca=3),
    IndexSettings("knn", "euclidean", standardize=True),
    IndexSettings("faiss", "cosine", pca=0.9),
    IndexSettings("faiss", "euclidean", whiten=True, factory="IVF4,Flat", nprobe=2),
]


@pytest.fixture(scope="module")
def gallery():
    return Embeddings.from_arrays(np.random.default_rng(0).normal(size=(200, 6)), np.arange(200) % 3)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_it_answers_identically_in_a_new_process(gallery, tmp_path, settings):
    index = Index.build(gallery, settings, {"note": "x"})
    index.save(tmp_path / "index")
    queries = np.random.default_rng(1).normal(size=(9, 6)).astype(np.float32)
    np.save(tmp_path / "queries.npy", queries)
    code = (
        "import sys, numpy as np\n"
        "from tfretrieval.retrieval.index import Index\n"
        "distances, rows = Index.load(sys.argv[1]).search(np.load(sys.argv[2]), 5)\n"
        "np.savez(sys.argv[3], distances=distances, rows=rows)\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "index", tmp_path / "queries.npy", tmp_path / "out.npz"], check=True
    )
    answer, expected = np.load(tmp_path / "out.npz"), index.search(queries, 5)
    np.testing.assert_array_equal(answer["rows"], expected[1])
    np.testing.assert_array_equal(answer["distances"], expected[0])
    loaded = Index.load(tmp_path / "index")
    assert (loaded.settings, loaded.gallery, loaded.made_from) == (settings, gallery.fingerprint, {"note": "x"})


def test_cosine_after_pca_compares_directions(gallery):
    index = Index.build(gallery, IndexSettings("knn", "cosine", pca=3))
    one = index.search(gallery.vectors[:5], 10)
    other = index.search(gallery.vectors[:5] * 7, 10)
    np.testing.assert_array_equal(one[1], other[1])


def test_what_is_not_an_index(gallery, tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        Index.load(tmp_path)
    Index.build(gallery, IndexSettings()).save(tmp_path / "i")
    header = json.loads((tmp_path / "i" / "index.json").read_text())
    (tmp_path / "i" / "index.json").write_text(json.dumps({**header, "format": 99}))
    with pytest.raises(UserError, match="format 99"):
        Index.load(tmp_path / "i")
    (tmp_path / "i" / "index.json").write_text("{}")
    with pytest.raises(UserError, match="is damaged"):
        Index.load(tmp_path / "i")
