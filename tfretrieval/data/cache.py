"""The cache folder."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Folder for data sets and caches: `$TFRET_CACHE`, or `tfretrieval` in the user's cache folder."""
    if named := os.environ.get("TFRET_CACHE"):
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfretrieval"
