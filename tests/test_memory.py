"""The peak is of what comes after, and of all that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tfretrieval.memory import PeakMemory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells what is in RAM")

# In a process of its own, and with pages from the system: an allocator may give memory that is in RAM already, and
# threads of a library may return some meanwhile.
TWO_PEAKS = """
import mmap
from tfretrieval.memory import PeakMemory

def use(size):
    with mmap.mmap(-1, size) as pages:
        for place in range(0, size, mmap.PAGESIZE):
            pages[place] = 1

use(160_000_000)
peak = PeakMemory()
before = peak.bytes()
use(80_000_000)
print(peak.bytes() - before)
"""


def test_a_peak_that_is_over_is_seen_and_one_of_before_is_not():
    grown = int(subprocess.run([sys.executable, "-c", TWO_PEAKS], check=True, capture_output=True, text=True).stdout)
    assert 79e6 < grown < 90e6


def test_a_system_that_does_not_tell(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refuse)
    assert PeakMemory().bytes() is None
