"""A Ctrl-C that is never lost."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import keras


class Interruption(keras.callbacks.Callback):
    """Inside its `with` block, ends training at the next step where a Ctrl-C has been dropped on the way.

    Python prints and forgets an exception that is raised while a finaliser runs, also a KeyboardInterrupt, and
    TensorFlow runs many finalisers. Where Ctrl-C is ignored or handled already, or in a thread, nothing changes.
    """

    def __init__(self) -> None:
        super().__init__()
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

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._asked:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        signal.default_int_handler(number, frame)
