"""Reliable handling of Ctrl-C during training."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interruption:
    """A context manager in which no Ctrl-C is lost.

    Python discards a KeyboardInterrupt that is raised inside a finalizer, and TensorFlow runs many. `check`, called
    after each step, raises it again. If a library replaces the KeyboardInterrupt by an error of its own, the block
    raises a KeyboardInterrupt instead. Nothing changes in threads, or if Ctrl-C already has a custom handler.
    """

    def __init__(self) -> None:
        self._interrupted = False
        self._installed = False

    def __enter__(self) -> Interruption:
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handle)
            self._installed = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._interrupted and isinstance(error, Exception):
            raise KeyboardInterrupt from error

    def check(self) -> None:
        """Raise a KeyboardInterrupt that was discarded.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        if self._interrupted:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._interrupted = True
        signal.default_int_handler(number, frame)
