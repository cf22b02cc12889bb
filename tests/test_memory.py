"""Tests of the peak memory of a process."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="this system does not report peak memory")

PROGRAM = """
import mmap
from tfretrieval.memory import peak_memory

before = peak_memory()
with mmap.mmap(-1, 200_000_000) as pages:
    for position in range(0, len(pages), mmap.PAGESIZE):
        pages[position] = 1
print(peak_memory() - before)
"""


def test_peak_includes_memory_that_has_been_released(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    # the shell has little memory, which the program inherits in place of that of the tests
    command = f"'{sys.executable}' '{tmp_path / 'program.py'}'; exit $?"
    result = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True)
    assert 190e6 < int(result.stdout) < 220e6
