"""`BackgroundTask`: a slow computation that runs once, in a thread, when it is first requested."""

import logging
import threading
from collections.abc import Callable
from typing import Generic, Literal, TypeVar

from tfretrieval.errors import UserError

log = logging.getLogger(__name__)

State = Literal["running", "ready", "failed"]
T = TypeVar("T")


class BackgroundTask(Generic[T]):
    """A computation in a thread.

    Args:
        name: name of the task for error messages.
        compute: the computation. The message of a `UserError` becomes `error`.
    """

    def __init__(self, name: str, compute: Callable[[], T]) -> None:
        self._name, self._compute = name, compute
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._result: T | None = None
        self.error = ""

    @property
    def is_started(self) -> bool:
        """Whether the task was requested before."""
        return self._thread.ident is not None

    @property
    def state(self) -> State:
        """State of the task; starts it if necessary."""
        with self._lock:
            if not self.is_started:
                self._thread.start()
        if self._thread.is_alive():
            return "running"
        return "failed" if self.error else "ready"

    def result(self, timeout: float | None = None) -> T | None:
        """Return the result; None if the task has failed or is not done within `timeout` seconds."""
        _ = self.state
        self._thread.join(timeout)
        return self._result

    def _run(self) -> None:
        try:
            self._result = self._compute()
        except UserError as error:
            self.error = str(error)
        except Exception:
            log.exception("%s failed", self._name)
            self.error = f"{self._name} failed; see the server's log"
