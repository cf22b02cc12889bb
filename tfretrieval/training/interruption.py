"""A Ctrl-C that is never lost."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interruption:
    """Inside its `with` block, `check` ends training where a Ctrl-C has been dropped on the way.

    Python prints and forgets an exception that is raised while a finalizer runs, also a KeyboardInterrupt, and
    TensorFlow runs many finalizers. Where a library answers the KeyboardInterrupt with an error of its own, the block
    ends with a KeyboardInterrupt all the same. Where Ctrl-C is ignored or handled already, or in a thread, nothing
    changes.
    """

    def __init__(self) -> None:
        self._asked = False
        self._installed = False

    def __enter__(self) -> Interruption:
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
            self._installed = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._asked and isinstance(error, Exception):
            raise KeyboardInterrupt from error

    def check(self) -> None:
        """Raise the KeyboardInterrupt that was dropped, if one was; called after each step."""
        if self._asked:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        signal.default_int_handler(number, frame)
