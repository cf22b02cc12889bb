"""Tests of suppressing the output of native libraries."""

from __future__ import annotations

import os
import subprocess
import sys

from tfretrieval.quiet import STDERR, STDOUT, silent


def test_native_output_is_discarded_inside_the_block_only(capfd):
    with silent(STDERR), silent(STDOUT):
        os.write(1, b"discarded")
        os.write(2, b"discarded")
    print("out")
    print("err", file=sys.stderr)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("out\n", "err\n")


def test_tensorflow_is_loaded_without_messages():
    program = "from tfretrieval.quiet import load_tensorflow; load_tensorflow()"
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("", "")
