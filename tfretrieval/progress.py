"""Progress bars, with rate and time left: on stderr, on a terminal only, and only of what takes a while."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

DELAY = 0.5  # seconds; what is done sooner shows no bar


def progress(items: Iterable[Any] | None, what: str, total: int | None = None, unit: str = "it") -> Any:
    """Wrap `items` in a bar named `what`; `None` gives a bar that is moved by `update`."""
    from tqdm import tqdm

    return tqdm(items, total=total, unit=unit, unit_scale=unit == "B", **bar_options(what))


def bar_options(what: str) -> dict[str, Any]:
    """How every bar looks, as options of tqdm, for libraries that draw one themselves."""
    return {"desc": what, "disable": not is_shown(), "leave": False, "delay": DELAY, "file": sys.stderr}


def is_shown() -> bool:
    """Whether there is a terminal for bars."""
    return sys.stderr.isatty()


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """Show the time that has passed in the block, for work that does not tell how far it is."""
    with progress(None, what) as bar:
        if bar.disable:
            yield
            return
        bar.bar_format = "{desc}: {elapsed}"
        done = threading.Event()

        def tick() -> None:
            while not done.wait(DELAY):
                bar.refresh()

        ticking = threading.Thread(target=tick, daemon=True)
        ticking.start()
        try:
            yield
        finally:
            done.set()
            ticking.join()


class LinesBetweenBars(logging.StreamHandler):
    """Writes log lines to stderr, above the bars that are there."""

    def emit(self, record: logging.LogRecord) -> None:
        if "tqdm" not in sys.modules:
            super().emit(record)
            return
        from tqdm import tqdm

        try:
            tqdm.write(self.format(record), file=self.stream)
        except Exception:
            self.handleError(record)
