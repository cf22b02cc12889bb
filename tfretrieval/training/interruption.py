"""Reliable handling of Ctrl-C during training."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Context manager that never loses a Ctrl-C; yields a function to call after each step.

    Python discards a KeyboardInterrupt that is raised inside a finalizer, and TensorFlow runs many. The function raises
    it again. If a library replaces the KeyboardInterrupt by an error of its own, the block raises a KeyboardInterrupt
    instead. Nothing changes in threads, or if Ctrl-C already has a custom handler.
    """
    interrupted = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.default_int_handler(number, frame)

    def check() -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt

    in_main_thread = threading.current_thread() is threading.main_thread()
    is_installed = in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_installed:
        signal.signal(signal.SIGINT, handle)
    try:
        yield check
    except Exception as error:
        if interrupted.is_set():
            raise KeyboardInterrupt from error
        raise
    finally:
        if is_installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
