"""A Ctrl-C that Python drops still ends the training."""

from __future__ import annotations

import os
import signal

import pytest

from tfretrieval.training.interruption import Interruption


@pytest.fixture(autouse=True)
def _default_handler():
    """Ctrl-C as in a program that a person starts; parallel test runners ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Finalised:
    """Is interrupted while it goes away, so that Python drops the KeyboardInterrupt."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_a_finaliser_drops_ends_the_training_at_that_step():
    steps = []

    def take_steps(interruption):
        for step in range(50):
            steps.append(step)
            if step == 2:
                Finalised()
            interruption.check()

    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        take_steps(interruption)
    assert steps == [0, 1, 2]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_that_is_there_already_stays():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interruption():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def _answer_an_interrupt_with_an_error():
    with Interruption():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            raise AssertionError("Concurrent access?") from None


def test_an_error_that_a_library_makes_of_an_interrupt_is_an_interrupt():
    with pytest.raises(KeyboardInterrupt):
        _answer_an_interrupt_with_an_error()


def test_an_error_without_an_interrupt_stays_what_it_is():
    with pytest.raises(ZeroDivisionError), Interruption():
        1 / 0  # noqa: B018
