"""Progress bars: on stderr, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any


def progress(items: Iterable[Any] | None, what: str, total: int | None = None, unit: str = "it") -> Any:
    """Wrap `items` in a bar named `what`; `None` gives a bar that is moved by `update`."""
    from tqdm import tqdm

    hidden = not sys.stderr.isatty()
    return tqdm(items, desc=what, total=total, unit=unit, unit_scale=unit == "B", disable=hidden, leave=False)
