"""The peak is of what comes after, and of all that."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tfretrieval.memory import PeakMemory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells what is in RAM")


def test_a_peak_that_is_over_is_seen_and_one_of_before_is_not():
    np.ones(20_000_000)  # 160 MB, gone at once
    peak = PeakMemory()
    before = peak.bytes()
    np.ones(10_000_000)
    grown = peak.bytes() - before
    assert 60e6 < grown < 120e6


def test_a_system_that_does_not_tell(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refuse)
    assert PeakMemory().bytes() is None
