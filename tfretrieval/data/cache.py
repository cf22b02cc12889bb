"""The folder where built-in data sets are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`$TFRET_CACHE`, or `tfretrieval` in the user's cache folder."""
    named = os.environ.get("TFRET_CACHE")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfretrieval"
