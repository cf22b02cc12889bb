"""Digests of file contents and their cache."""

from __future__ import annotations

import os
import time

import pytest

from tfretrieval.data import content_digests as module
from tfretrieval.data.content_digests import content_digests


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Three old files, and a cache of their own, which also keeps the digests of files that have just changed."""
    monkeypatch.setenv("TFRET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "SETTLED_SECONDS", 0)
    paths = []
    for name in "abc":
        path = tmp_path / name
        path.write_text(f"content {name}")
        os.utime(path, (1000, 1000))
        paths.append(str(path))
    return paths


def test_digests_depend_on_the_content_and_missing_files_have_none(files, tmp_path):
    digests = content_digests([*files, str(tmp_path / "gone"), "s3://bucket/a.jpg", files[0]])
    assert digests[3:] == ["", "", digests[0]]
    assert len(set(digests[:3])) == 3


def test_a_file_is_read_again_only_if_size_or_time_changed(files, monkeypatch):
    first = content_digests(files)
    read = []
    digest = module._digest
    monkeypatch.setattr(module, "_digest", lambda path: read.append(path) or digest(path))
    assert content_digests(files) == first
    assert read == []
    os.utime(files[1], (2000, 2000))
    assert content_digests(files) == first
    assert read == [files[1]]


def test_an_overwritten_file_of_the_same_size_and_modification_time_has_another_digest(files):
    first = content_digests(files)
    time.sleep(0.05)  # longer than the resolution of the time of the last change
    with open(files[2], "w") as file:
        file.write("CONTENT C"[: os.path.getsize(files[2])])
    os.utime(files[2], (1000, 1000))
    assert content_digests(files)[:2] == first[:2]
    assert content_digests(files)[2] != first[2]


def test_a_cache_that_cannot_be_used_changes_nothing(files, tmp_path, monkeypatch):
    first = content_digests(files)
    monkeypatch.setenv("TFRET_CACHE", str(tmp_path / "a"))  # a file
    assert content_digests(files) == first
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "content_digests.sqlite").write_text("no database, but as long as one needs to be" * 99)
    monkeypatch.setenv("TFRET_CACHE", str(tmp_path / "broken"))
    assert content_digests(files) == first
