"""Where built-in data sets are kept."""

from __future__ import annotations

from pathlib import Path

from tfretrieval.data.cache import cache_folder


def test_the_nearest_setting_wins(monkeypatch):
    monkeypatch.setenv("TFRET_CACHE", "~/here")
    monkeypatch.setenv("XDG_CACHE_HOME", "/there")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_folder() == Path("/home/me/here")
    monkeypatch.delenv("TFRET_CACHE")
    assert cache_folder() == Path("/there/tfretrieval")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path("/home/me/.cache/tfretrieval")
