"""Suppress what native libraries print."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

STDOUT, STDERR = 1, 2


@contextlib.contextmanager
def silent(descriptor: int) -> Iterator[None]:
    """Discard what native code writes to a file descriptor, `STDOUT` or `STDERR`, inside the block."""
    sys.stdout.flush()
    sys.stderr.flush()
    copy = os.dup(descriptor)
    with open(os.devnull, "wb") as devnull:
        os.dup2(devnull.fileno(), descriptor)
    try:
        yield
        if descriptor == STDOUT:  # stderr has no buffer
            ctypes.CDLL(None).fflush(None)
    finally:
        os.dup2(copy, descriptor)
        os.close(copy)


def load_tensorflow(compute: bool = True) -> None:
    """Import TensorFlow without its messages about the machine, some of which ignore TF_CPP_MIN_LOG_LEVEL.

    Args:
        compute: compute a constant, which triggers the messages of device initialization.
    """
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silent(STDERR):
        import tensorflow as tf

        if compute:
            tf.constant(0)
