"""Tests of Ctrl-C during training.

They run in a subprocess, without the signal handlers and threads of the test runner.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

from tfretrieval.training.interruption import interruptible

PREAMBLE = """
import os, signal, sys
from tfretrieval.training.interruption import interruptible

signal.signal(signal.SIGINT, signal.default_int_handler)

class InterruptedInFinalizer:
    def __del__(self):  # is interrupted inside a finalizer, where Python discards the KeyboardInterrupt
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass
"""


def run_and_read_stdout(code: str) -> list[str]:
    program = PREAMBLE + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_interrupt_inside_a_finalizer_ends_training_after_the_step():
    assert run_and_read_stdout("""
        try:
            with interruptible() as check:
                for step in range(50):
                    print(step)
                    if step == 2:
                        InterruptedInFinalizer()
                    check()
        except KeyboardInterrupt:
            print("interrupted", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    """) == ["0", "1", "2", "interrupted", "True"]


def test_error_that_replaces_an_interrupt_becomes_an_interrupt():
    assert run_and_read_stdout("""
        try:
            with interruptible():
                try:
                    os.kill(os.getpid(), signal.SIGINT)
                except KeyboardInterrupt:
                    raise AssertionError("Concurrent access?") from None
        except KeyboardInterrupt:
            print("interrupted")
    """) == ["interrupted"]


def test_existing_handler_is_kept():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_errors_are_not_changed():
    with pytest.raises(ZeroDivisionError), interruptible():
        1 / 0  # noqa: B018
