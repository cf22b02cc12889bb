"""One Milvus collection in a database file."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from tfretrieval.data.catalog import Catalog
from tfretrieval.errors import UserError
from tfretrieval.retrieval.milvus.collection import MilvusCollection, filter_expression

needs_milvus = pytest.mark.skipif(
    not (find_spec("pymilvus") and find_spec("milvus_lite")), reason="Milvus is not installed: pip install '.[milvus]'"
)


@pytest.mark.parametrize(
    ("where", "expression"),
    [
        ({}, ""),
        ({"classes": ["a"], "splits": ["b", "c"]}, 'label in ["a"] and split in ["b", "c"]'),
        ({"classes": ['Straße "1"']}, 'label in ["Straße \\"1\\""]'),
    ],
)
def test_filters_quote_their_values(where, expression):
    assert filter_expression(where) == expression


@needs_milvus
def test_items_are_inserted_replaced_found_and_deleted(tmp_path):
    items = Catalog.from_lists(["a.jpg", "b.jpg", "c.jpg"], [0, 1, -1], ["cat", "dog"], ids=["a", "b", "c"])
    vectors = np.eye(3, dtype=np.float32)
    collection = MilvusCollection(str(tmp_path / "milvus.db"), "things")
    assert collection.describe() is None

    collection.create(3, "model")
    collection.create_index("L2", "FLAT", {})
    collection.put(items, vectors, [1, 2, 3])
    assert collection.describe() == {"fingerprint": "model", "dim": 3, "metric_type": "L2", "index_type": "FLAT"}
    assert collection.digests() == {"a": 1, "b": 2, "c": 3}
    ((ids, scores),) = collection.search(vectors[1:2], 3, {}, filter_expression({"classes": ["cat", "dog"]}))
    assert (ids, scores) == (["b", "a"], pytest.approx([0, 2], abs=1e-6))

    collection.put(items.subset(np.array([0])), vectors[:1], [4])
    collection.delete(["c"])
    assert (collection.digests(), collection.count()) == ({"a": 4, "b": 2}, 2)
    collection.drop()
    assert collection.describe() is None


@needs_milvus
def test_collections_of_other_programs_are_refused(tmp_path):
    collection = MilvusCollection(str(tmp_path / "milvus.db"), "things")
    collection._client.create_collection("things", dimension=4)
    with pytest.raises(UserError, match="not created by tfretrieval"):
        collection.describe()
