"""Addresses, tokens and errors of Milvus databases."""

from __future__ import annotations

import pytest

from tfretrieval.errors import UserError
from tfretrieval.retrieval.milvus.client import check_address, connect, one_line_errors


@pytest.mark.parametrize("uri", ["v.db", "/a/v.db", "http://host:19530", "https://host"])
def test_valid_addresses(uri):
    check_address(uri, "scenes_2")


@pytest.mark.parametrize(
    ("uri", "name", "reason"),
    [
        ("v.sqlite", "a", "not a Milvus address"),
        ("ftp://host", "a", "not a Milvus address"),
        ("http://", "a", "not a Milvus address"),
        ("http://user:secret@host:19530", "a", "--token-env"),
        ("v.db", "2_scenes", "not a collection name"),
        ("v.db", "a-b", "not a collection name"),
    ],
)
def test_invalid_addresses_and_collections(uri, name, reason):
    with pytest.raises(UserError, match=reason) as raised:
        check_address(uri, name)
    assert "secret" not in str(raised.value)


def test_a_missing_token_is_an_error(monkeypatch):
    monkeypatch.delenv("NO_TOKEN", raising=False)
    with pytest.raises(UserError, match="NO_TOKEN is not set"):
        connect("http://localhost:1", "NO_TOKEN", seconds=1)


def test_errors_of_the_client_become_one_line():
    pymilvus = pytest.importorskip("pymilvus", reason="Milvus is not installed: pip install '.[milvus]'")
    with pytest.raises(UserError, match=r"^Milvus at v\.db: first second$"), one_line_errors("v.db"):
        raise pymilvus.MilvusException(message="first\n  second")
    with pytest.raises(UserError, match="disk"), one_line_errors("v.db"):
        raise OSError("disk full")
