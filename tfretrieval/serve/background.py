"""`Later`: a value that takes long and is computed once, in a thread, when it is first asked for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

from tfretrieval.errors import UserError

log = logging.getLogger(__name__)

State = Literal["working", "ready", "failed"]
T = TypeVar("T")


class Later(Generic[T]):
    """A value in the making.

    Args:
        what: the value is, in words for people.
        compute: makes it. A `UserError` is its failure, told to whoever asks.
    """

    def __init__(self, what: str, compute: Callable[[], T]) -> None:
        self._what, self._compute = what, compute
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._value: Any = None
        self._done = threading.Event()
        self.reason = ""

    @property
    def begun(self) -> bool:
        """Whether it has been asked for."""
        return self._thread is not None

    @property
    def state(self) -> State:
        """Where it stands; the first question starts the work."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._what, daemon=True)
                self._thread.start()
        if not self._done.is_set():
            return "working"
        return "failed" if self.reason else "ready"

    def value(self, seconds: float | None = None) -> T | None:
        """The value; None where it is not there after so many seconds, or has failed."""
        _ = self.state
        self._done.wait(seconds)
        return self._value

    def _run(self) -> None:
        try:
            self._value = self._compute()
        except UserError as error:
            self.reason = str(error)
        except Exception:
            log.exception("%s failed", self._what)
            self.reason = f"{self._what} failed; the server's log says why"
        finally:
            self._done.set()
