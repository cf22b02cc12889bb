"""Suppress what native libraries print."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Discard what native code writes to stderr inside the block."""
    sys.stderr.flush()
    with _redirected_to_devnull(2):
        yield


@contextlib.contextmanager
def silent_stdout() -> Iterator[None]:
    """Discard what native code writes to stdout inside the block."""
    sys.stdout.flush()
    with _redirected_to_devnull(1):
        yield
        ctypes.CDLL(None).fflush(None)


def load_tensorflow(compute: bool = True) -> None:
    """Import TensorFlow without its messages about the machine, some of which ignore TF_CPP_MIN_LOG_LEVEL.

    Args:
        compute: compute a constant, which triggers the messages of device initialization.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silent_stderr():
        import tensorflow as tf

        if compute:
            tf.constant(0)


@contextlib.contextmanager
def _redirected_to_devnull(descriptor: int) -> Iterator[None]:
    copy = os.dup(descriptor)
    devnull = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, descriptor)
        yield
    finally:
        os.dup2(copy, descriptor)
        os.close(copy)
        os.close(devnull)
