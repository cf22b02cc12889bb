"""Libraries without their notes on the machine."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Hide what C code writes to stderr inside the block."""
    sys.stderr.flush()
    with _nowhere(2):
        yield


@contextlib.contextmanager
def silent_stdout() -> Iterator[None]:
    """Hide what C code writes to stdout inside the block."""
    sys.stdout.flush()
    with _nowhere(1):
        yield
        ctypes.CDLL(None).fflush(None)


@contextlib.contextmanager
def _nowhere(descriptor: int) -> Iterator[None]:
    kept = os.dup(descriptor)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, descriptor)
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(nowhere)


def load_tensorflow(compute: bool = True) -> None:
    """Import TensorFlow without its notes on the machine; `compute` gets over those that come with the first result."""
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silent_stderr():
        import tensorflow as tf

        if compute:
            tf.constant(0)
