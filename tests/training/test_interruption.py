"""A Ctrl-C that Python drops still ends the training.

What is interrupted is a process of its own: here a signal would find the handlers and threads of all that the test
runner and other tests have loaded.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

from tfretrieval.training.interruption import Interruption

SETTING = """
import os, signal, sys
from tfretrieval.training.interruption import Interruption

signal.signal(signal.SIGINT, signal.default_int_handler)

class Finalized:
    def __del__(self):  # is interrupted while it goes away, so that Python drops the KeyboardInterrupt
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass
"""


def printed_by(code: str) -> list[str]:
    program = SETTING + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_an_interrupt_that_a_finalizer_drops_ends_the_training_at_that_step():
    assert printed_by("""
        try:
            with Interruption() as interruption:
                for step in range(50):
                    print(step)
                    if step == 2:
                        Finalized()
                    interruption.check()
        except KeyboardInterrupt:
            print("interrupted", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    """) == ["0", "1", "2", "interrupted", "True"]


def test_an_error_that_a_library_makes_of_an_interrupt_is_an_interrupt():
    assert printed_by("""
        try:
            with Interruption():
                try:
                    os.kill(os.getpid(), signal.SIGINT)
                except KeyboardInterrupt:
                    raise AssertionError("Concurrent access?") from None
        except KeyboardInterrupt:
            print("interrupted")
    """) == ["interrupted"]


def test_a_handler_that_is_there_already_stays():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_error_without_an_interrupt_stays_what_it_is():
    with pytest.raises(ZeroDivisionError), Interruption():
        1 / 0  # noqa: B018
