"""Tests of the cache folder."""

from __future__ import annotations

from pathlib import Path

from tfretrieval.data.cache import cache_folder


def test_tfret_cache_overrides_xdg_cache_home_and_home(monkeypatch):
    monkeypatch.setenv("TFRET_CACHE", "~/mine")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_folder() == Path("/home/me/mine")
    monkeypatch.delenv("TFRET_CACHE")
    assert cache_folder() == Path("/xdg/tfretrieval")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path("/home/me/.cache/tfretrieval")
