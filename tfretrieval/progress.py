"""Progress bars on stderr, only on a terminal and only for work that takes a while."""

import contextlib
import logging
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

DELAY = 0.5  # seconds before a bar appears


def progress(items: Iterable[Any] | None, description: str, total: int | None = None, unit: str = "it") -> Any:
    """A tqdm bar over `items`; with None, a bar to be advanced by `update`.

    Args:
        items: iterable to wrap.
        description: label of the bar.
        total: number of items.
        unit: unit of an item; "B" is shown with SI prefixes.
    """
    from tqdm import tqdm

    options: dict[str, Any] = {"disable": not sys.stderr.isatty(), "leave": False, "delay": DELAY, "file": sys.stderr}
    return tqdm(items, desc=description, total=total, unit=unit, unit_scale=unit == "B", **options)


@contextlib.contextmanager
def working(description: str) -> Iterator[None]:
    """Show the elapsed time during the block, for work that does not report its progress."""
    with progress(None, description) as bar:
        bar.bar_format = "{desc}: {elapsed}"
        done = threading.Event()

        def refresh() -> None:
            while not done.wait(DELAY):
                bar.refresh()

        thread = threading.Thread(target=refresh, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


class LinesBetweenBars(logging.StreamHandler):
    """A log handler that writes lines to stderr above progress bars."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a log record."""
        from tqdm import tqdm

        try:
            tqdm.write(self.format(record), file=self.stream)
        except Exception:
            self.handleError(record)
