"""The retriever `milvus`: in this process, and the same suite by address on a server.

The server is Milvus Lite's own on a loopback port, or the one that TFRET_MILVUS_URI names.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.evaluation.evaluator import evaluate
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.milvus import collection as module
from tfretrieval.retrieval.milvus.retriever import MilvusRetriever
from tfretrieval.retrieval.recall import recall_at_k
from tfretrieval.retrieval.settings import FaissSettings, KNNSettings, MilvusSettings, load_retriever
from tfretrieval.retrieval.transformed import TransformedVectors

if not (find_spec("pymilvus") and find_spec("milvus_lite")):
    pytest.skip("Milvus is not installed: pip install '.[milvus]'", allow_module_level=True)

N, DIM = 240, 12


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`milvus-lite server` on a loopback port."""

    def __init__(self, folder: Path) -> None:
        port = _free_port()
        self.uri = f"http://127.0.0.1:{port}"
        program = shutil.which("milvus-lite", path=os.path.dirname(sys.executable))
        assert program is not None
        command = [program, "server", "--data-dir", str(folder), "--host", "127.0.0.1", "--port", str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    return
            time.sleep(0.1)
        raise AssertionError("milvus-lite server did not start")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if "TFRET_MILVUS_URI" in os.environ:
        yield os.environ["TFRET_MILVUS_URI"]
        return
    started = Server(tmp_path_factory.mktemp("server") / "data")
    yield started.uri
    started.stop()


@pytest.fixture(params=["in this process", "over the network"])
def uri(request, tmp_path):
    if request.param == "over the network":
        return request.getfixturevalue("server")
    return str(tmp_path / "vectors.db")


@pytest.fixture
def name() -> str:
    return f"test_{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def gallery() -> Embeddings:
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 3
    return Embeddings.from_arrays(
        rng.normal(size=(N, DIM)) + np.eye(3, DIM)[labels] * 2,
        labels=labels,
        class_names=["coast", 'the "wood"', "Straße"],
        ids=[f"train/ö/{row}.jpg" for row in range(N)],
        paths=[f"/photos/{row}.jpg" for row in range(N)],
        splits=["train" if row % 4 else "val" for row in range(N)],
        provenance={"model": "abc"},
    )


@pytest.fixture(scope="module")
def queries(gallery) -> Embeddings:
    labels = np.arange(30) % 3
    vectors = np.random.default_rng(1).normal(size=(30, DIM)) + np.eye(3, DIM)[labels] * 2
    return Embeddings.from_arrays(vectors, labels, gallery.items.class_names, ids=[f"q{i}" for i in range(30)])


def built(gallery, uri, name, directory=None, replace_collection=False, **settings) -> Index:
    chosen = MilvusSettings(uri=uri, collection=name, **settings)
    return Index.build(gallery, chosen, directory, replace_collection)


def stored_ids(index: Index) -> list[str]:
    return sorted(index.retriever._opened.digests())


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("pca", [None, 5])
def test_flat_gives_the_metrics_and_neighbors_of_faiss(gallery, queries, uri, name, metric, pca):
    milvus = built(gallery, uri, name, metric=metric, pca=pca)
    faiss = Index.build(gallery, FaissSettings(metric, pca))
    assert milvus.retriever.is_exact
    for k in (1, 7, N):
        found, expected = (index.search(queries.vectors, k) for index in (milvus, faiss))
        np.testing.assert_allclose(found.distances, expected.distances, atol=1e-4)
        assert (found.rows != expected.rows).mean() < 1e-2
    one, other = (evaluate(index, queries, n_bootstrap=0) for index in (milvus, faiss))
    assert one.depth == other.depth == N
    assert one.metrics == pytest.approx(other.metrics, abs=1e-4)


def test_hnsw_finds_nearly_all(gallery, uri, name):
    index = built(gallery, uri, name, index_type="HNSW", index_params={"M": 16, "efConstruction": 100})
    assert not index.retriever.is_exact
    vectors = TransformedVectors(gallery.vectors, metric="cosine")
    assert recall_at_k(index.retriever, vectors) >= 0.99


@pytest.mark.parametrize("index_type", ["FLAT", "HNSW"])
def test_filters_return_only_what_they_name(gallery, queries, uri, name, index_type):
    milvus = built(gallery, uri, name, index_type=index_type)
    exact = Index.build(gallery, KNNSettings())
    for classes, splits in ((['the "wood"'], []), (["coast", "Straße"], ["val"]), ([], ["val"])):
        where = {"classes": classes, "splits": splits}
        found, expected = (index.search(queries.vectors, 9, where) for index in (milvus, exact))
        names = set(gallery.items.item_class_names()[found.rows.ravel()])
        assert not classes or names == set(classes)
        assert not splits or set(gallery.items.splits[found.rows.ravel()]) == set(splits)
        np.testing.assert_allclose(found.distances, expected.distances, atol=1e-5)
    for index in (milvus, exact):
        with pytest.raises(UserError, match="elephant"):
            index.search(queries.vectors, 1, {"classes": ["elephant"]})
        with pytest.raises(UserError, match="60"):
            index.search(queries.vectors, 61, {"splits": ["val"]})


def test_items_are_kept_with_their_class_path_and_split(gallery, uri, name):
    index = built(gallery, uri, name)
    (row,) = index.retriever._opened._client.query(
        name, filter='id == "train/ö/7.jpg"', output_fields=["path", "label", "split"]
    )
    assert (row["path"], row["label"], row["split"]) == ("/photos/7.jpg", 'the "wood"', "train")


def test_the_same_twice_leaves_one_copy_and_only_changes_are_sent(gallery, uri, name, monkeypatch):
    built(gallery, uri, name)
    sent: list[str] = []
    put = module.MilvusCollection.put
    monkeypatch.setattr(
        module.MilvusCollection, "put", lambda self, items, *rest: sent.extend(items.ids) or put(self, items, *rest)
    )
    index = built(gallery, uri, name)
    assert not sent
    assert stored_ids(index) == sorted(gallery.items.ids)
    vectors = gallery.vectors.copy()
    vectors[5] += 1
    changed = replace(gallery, vectors=vectors).subset(np.arange(3, N))
    index = built(changed, uri, name)
    assert sent == [gallery.items.ids[5]]
    assert stored_ids(index) == sorted(changed.items.ids)
    np.testing.assert_array_equal(index.search(vectors[5:6], 1).rows, [[2]])


def test_vectors_of_another_model_transform_metric_or_size_are_refused(gallery, uri, name):
    first = built(gallery, uri, name)
    other_model = replace(gallery, provenance={"model": "xyz"})
    smaller = replace(gallery, vectors=np.ascontiguousarray(gallery.vectors[:, :6]))
    for others, settings in (
        (other_model, {}),
        (gallery, {"pca": 4}),
        (gallery, {"metric": "euclidean"}),
        (smaller, {}),
    ):
        with pytest.raises(UserError, match="--replace") as refused:
            built(others, uri, name, **settings)
        assert "\n" not in str(refused.value)
    assert stored_ids(first) == sorted(gallery.items.ids)
    assert len(stored_ids(built(other_model.subset(np.arange(9)), uri, name, replace_collection=True))) == 9


def test_a_collection_that_others_made_is_never_touched(gallery, uri, name):
    from pymilvus import MilvusClient

    client = MilvusClient(uri)
    client.create_collection(name, dimension=DIM)
    for replace_collection in (False, True):
        with pytest.raises(UserError, match="--collection"):
            built(gallery, uri, name, replace_collection=replace_collection)
    assert client.has_collection(name)


def test_saved_and_loaded_it_answers_the_same(gallery, queries, uri, name, tmp_path):
    index = built(gallery, uri, name, pca=5, search_params={"ef": 100}, index_type="HNSW")
    index.save(tmp_path / "i")
    again = Index.load(tmp_path / "i", mmap=True)
    assert again.settings == index.settings
    np.testing.assert_array_equal(again.search(queries.vectors, 6).rows, index.search(queries.vectors, 6).rows)


def test_another_index_type_is_made_from_what_is_there(gallery, queries, uri, name, monkeypatch):
    expected = built(gallery, uri, name).search(queries.vectors, 5).rows
    monkeypatch.setattr(module.MilvusCollection, "put", lambda *_: pytest.fail("nothing is to be sent"))
    index = built(gallery, uri, name, index_type="HNSW")
    assert index.retriever._opened.describe()["index_type"] == "HNSW"
    assert (index.search(queries.vectors, 5).rows == expected).mean() > 0.95


def test_items_are_added_and_removed_by_id(gallery, queries, uri, name):
    first, rest = gallery.subset(np.arange(200)), gallery.subset(np.arange(200, N))
    removed = np.array([0, 230])
    index = built(first, uri, name)
    index.add(rest)
    index.remove(list(gallery.items.ids[removed]))
    left = gallery.subset(np.delete(np.arange(N), removed))
    assert stored_ids(index) == sorted(left.items.ids)
    knn = Index.build(left, KNNSettings())
    np.testing.assert_array_equal(index.search(queries.vectors, 9).rows, knn.search(queries.vectors, 9).rows)


@pytest.mark.parametrize("what", ["dropped", "fewer", "more"])
def test_a_collection_that_changed_elsewhere_is_noticed(gallery, queries, uri, name, tmp_path, what):
    built(gallery, uri, name).save(tmp_path / "i")
    index = Index.load(tmp_path / "i")
    collection = module.MilvusCollection(uri, name)
    if what == "dropped":
        collection.drop()
    else:
        collection.load()
        if what == "fewer":
            collection.delete([gallery.items.ids[3]])
        else:
            new = replace(gallery.items.subset(np.array([0])), ids=np.array(["new"], object))
            collection.put(new, gallery.vectors[:1], [1])
    assert not Index.load(tmp_path / "i").retriever.is_up_to_date()
    with pytest.raises(UserError, match="tfret index"):
        index.search(queries.vectors, 3)


def test_ids_of_more_bytes_than_milvus_keeps_are_one_clear_line(gallery, uri, name):
    items = replace(gallery.items.subset(np.array([0])), ids=np.array(["ö" * 5000], object))
    long = Embeddings(items, gallery.vectors[:1], gallery.provenance)
    with pytest.raises(UserError, match="4096"):
        built(long, uri, name)


def test_a_fit_that_was_killed_goes_on(tmp_path):
    code = (
        "import sys, numpy as np; from tfretrieval.retrieval.milvus.retriever import MilvusRetriever; "
        "MilvusRetriever(sys.argv[1]).fit(np.random.default_rng(0).normal(size=(4000, 64)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "k.db")]
    moments = random.Random(0)
    for _ in range(4):
        process = subprocess.Popen(command)
        time.sleep(moments.uniform(0.8, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True)
    collection = module.MilvusCollection(str(tmp_path / "k.db"), "tfretrieval")
    collection.load()
    assert sorted(collection.digests(), key=int) == [str(row) for row in range(4000)]
    assert collection.count() == 4000


def test_the_database_of_a_run_lies_beside_its_index_and_is_filled_anew(gallery, tmp_path):
    settings = MilvusSettings()
    Index.build(gallery, settings, directory=tmp_path / "milvus").save(tmp_path / "milvus")
    assert (tmp_path / "milvus.db").is_dir()
    assert Index.load(tmp_path / "milvus").retriever.uri == str(tmp_path / "milvus.db")
    other = replace(gallery.subset(np.arange(5)), provenance={"model": "another"})
    assert stored_ids(Index.build(other, settings, directory=tmp_path / "milvus")) == sorted(other.items.ids)
    with pytest.raises(UserError, match="--uri"):
        Index.build(gallery, settings)


@pytest.mark.parametrize("uri", ["vectors", "ftp://host:1", "http://", "http://user:secret@host:19530"])
def test_an_address_that_cannot_be_is_refused(uri):
    with pytest.raises(UserError) as refused:
        MilvusRetriever(uri).fit(np.eye(3))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "7up", "a-b", "ä", "a" * 256])
def test_a_name_that_cannot_be_is_refused(name, tmp_path):
    with pytest.raises(UserError, match="collection name"):
        MilvusRetriever(str(tmp_path / "x.db"), name).fit(np.eye(3))
    assert not list(tmp_path.iterdir())


def test_an_index_that_milvus_does_not_have_is_refused(tmp_path):
    with pytest.raises(UserError, match="FLAT, HNSW"):
        MilvusRetriever(uri=str(tmp_path / "x.db"), index_type="TREE").fit(np.eye(3))


def test_more_neighbors_than_milvus_returns_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(MilvusRetriever, "max_neighbors", 3)
    retriever = MilvusRetriever(str(tmp_path / "x.db")).fit(np.eye(9))
    assert retriever.kneighbors(np.eye(9), 4)[1].shape == (9, 4)
    with pytest.raises(UserError, match="at most 4"):
        retriever.kneighbors(np.eye(9), 5)


def test_milvus_lite_is_asked_for_no_more_than_its_memory_holds(gallery, queries, tmp_path, monkeypatch):
    from tfretrieval.retrieval.milvus import retriever as milvus

    retriever = MilvusRetriever(uri=str(tmp_path / "v.db")).fit(gallery.vectors)
    expected = retriever.kneighbors(queries.vectors, 5)
    monkeypatch.setattr(milvus, "LITE_BYTES_PER_REQUEST", 8 * N * DIM * 4)
    sizes = []
    search = retriever._opened.search
    monkeypatch.setattr(retriever._opened, "search", lambda asked, *a: sizes.append(len(asked)) or search(asked, *a))
    for one, other in zip(retriever.kneighbors(queries.vectors, 5), expected):
        np.testing.assert_array_equal(one, other)
    assert sizes == [4] * 7 + [2]


def test_nobody_there_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(module, "TIMEOUT", 2)
    uri = f"http://127.0.0.1:{_free_port()}"
    with pytest.raises(UserError, match=f"^Milvus at {uri}: .*onnect") as refused:
        MilvusRetriever(uri).fit(np.eye(3))
    assert "\n" not in str(refused.value)


def test_a_connection_that_drops_is_one_clear_line(gallery, queries, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(module, "TIMEOUT", 2)
    started = Server(tmp_path / "data")
    index = built(gallery, started.uri, "c")
    started.stop()
    for act in (lambda: index.search(queries.vectors, 3), lambda: index.retriever._opened.put(*_one_item())):
        with pytest.raises(UserError, match=f"^Milvus at {started.uri}: ") as refused:
            act()
        assert "\n" not in str(refused.value)
    assert "Traceback" not in capfd.readouterr().err


def _one_item():
    return Catalog.from_lists(["a"]), np.zeros((1, DIM), np.float32), [0]


def test_a_wrong_token_is_one_clear_line_that_does_not_tell_it(monkeypatch):
    import grpc

    class Refuses(grpc.GenericRpcHandler):
        def service(self, details):
            def refuse(request, context):
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "auth check failure")

            return grpc.unary_unary_rpc_method_handler(refuse)

    refusing = grpc.server(ThreadPoolExecutor(2), handlers=[Refuses()])
    port = refusing.add_insecure_port("127.0.0.1:0")
    refusing.start()
    monkeypatch.setattr(module, "TIMEOUT", 3)
    monkeypatch.setenv("SOME_TOKEN", "root:secret")
    try:
        with pytest.raises(UserError, match="the token in SOME_TOKEN is not valid") as refused:
            MilvusRetriever(f"http://127.0.0.1:{port}", token_env="SOME_TOKEN").fit(np.eye(3))
    finally:
        refusing.stop(0)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_token_comes_from_the_environment_and_is_kept_nowhere(gallery, server, name, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="MY_TOKEN"):
        built(gallery, server, name, token_env="MY_TOKEN")
    monkeypatch.setenv("MY_TOKEN", "root:hush")
    index = built(gallery, server, name, token_env="MY_TOKEN")
    index.save(tmp_path / "i")
    assert Index.load(tmp_path / "i").settings.token_env == "MY_TOKEN"
    assert not [path for path in (tmp_path / "i").rglob("*") if path.is_file() and b"hush" in path.read_bytes()]


def test_a_database_that_another_process_uses_is_one_clear_line(tmp_path):
    code = "import sys, pymilvus; pymilvus.MilvusClient(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "x.db")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(UserError, match="another process holds the lock"):
            MilvusRetriever(str(tmp_path / "x.db")).fit(np.eye(3))
    finally:
        other.communicate()


def test_without_pymilvus_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(UserError, match=r"pip install 'tfretrieval\[milvus\]'"):
        MilvusRetriever(str(tmp_path / "x.db")).fit(np.eye(3))


def test_damaged_ids_are_one_clear_line(tmp_path):
    retriever = MilvusRetriever(str(tmp_path / "x.db")).fit(np.eye(3))
    retriever.save(tmp_path / "r")
    assert load_retriever(tmp_path / "r").kneighbors(np.eye(3), 1)[1].tolist() == [[0], [1], [2]]
    (tmp_path / "r" / "ids.parquet").write_text("damage")
    with pytest.raises(UserError, match="corrupt"):
        load_retriever(tmp_path / "r")
