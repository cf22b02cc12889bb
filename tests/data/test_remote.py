"""Images that lie elsewhere are fetched and not kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tfretrieval.data.remote import fetched, is_remote
from tfretrieval.errors import UserError


def test_what_is_remote():
    assert is_remote("s3://bucket/a.jpg")
    assert not is_remote("/photos/a.jpg")


def test_files_of_this_machine_need_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with fetched(["a.jpg", "b.jpg"]) as found:
        assert found == (["a.jpg", "b.jpg"], {})
    with pytest.raises(UserError, match=r"pip install 'tfretrieval\[ray\]'"), fetched(["s3://bucket/a.jpg"]):
        pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_was_fetched_is_deleted(served, scenes):
    pytest.importorskip("aiohttp", reason="fsspec reads http with aiohttp: pip install '.[test]'")
    with fetched([f"{served}/train/sea/0.png", str(scenes / "train" / "sea" / "1.png")]) as (files, failures):
        assert not failures
        assert Path(files[0]).read_bytes() == (scenes / "train" / "sea" / "0.png").read_bytes()
        assert files[1] == str(scenes / "train" / "sea" / "1.png")
    assert not os.path.exists(files[0])
