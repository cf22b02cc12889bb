"""Tests of remote images."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tfretrieval.data.remote import fetched, is_remote
from tfretrieval.errors import UserError


def test_urls_are_remote_and_paths_are_not():
    assert is_remote("s3://bucket/a.jpg")
    assert not is_remote("/photos/a.jpg")


def test_local_files_do_not_need_fsspec(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with fetched(["a.jpg", "b.jpg"]) as result:
        assert result == (["a.jpg", "b.jpg"], {})
    with pytest.raises(UserError, match="fsspec"), fetched(["s3://bucket/a.jpg"]):
        pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_downloads_are_deleted_after_the_block(served, scenes):
    pytest.importorskip("aiohttp", reason="fsspec reads http with aiohttp: pip install '.[test]'")
    with fetched([f"{served}/train/sea/0.png", str(scenes / "train" / "sea" / "1.png")]) as (files, failures):
        assert not failures
        assert Path(files[0]).read_bytes() == (scenes / "train" / "sea" / "0.png").read_bytes()
        assert files[1] == str(scenes / "train" / "sea" / "1.png")
    assert not os.path.exists(files[0])
