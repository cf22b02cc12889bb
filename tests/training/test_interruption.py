"""A Ctrl-C that Python drops still ends the training."""

from __future__ import annotations

import os
import signal

import keras
import numpy as np
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


class Presses(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        if batch == 2:
            Finalised()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_a_finaliser_drops_ends_the_training_at_that_step():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    steps = []
    count = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: steps.append(batch))
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        model.fit(np.ones((50, 1)), np.ones((50, 1)), 1, verbose=0, callbacks=[count, Presses(), interruption])
    assert steps == [0, 1, 2]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_that_is_there_already_stays():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Interruption():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
