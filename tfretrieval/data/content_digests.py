"""Digests of the contents of image files, cached by size and time of the last change."""

import contextlib
import hashlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tfretrieval.data.cache import cache_folder
from tfretrieval.progress import progress

log = logging.getLogger(__name__)

SELECT = "SELECT key, digest FROM digests WHERE key IN (SELECT value FROM json_each(?))"
SETTLED_SECONDS = 2.0  # a file modified less than this ago may change again within the resolution of its timestamp

T = TypeVar("T")


def content_digests(paths: Sequence[str]) -> list[str]:
    """A digest of the content of each file, in order; "" for a file that is missing, unreadable or remote.

    Digests are kept in the cache directory. A file is read again only if its size or its time of modification or status
    change has changed.
    """
    stats = {}
    for path in paths:
        with contextlib.suppress(OSError):
            stats[path] = os.stat(path)
    changed = {path: max(stat.st_mtime_ns, stat.st_ctime_ns) for path, stat in stats.items()}
    keys = {path: f"{path}\n{stat.st_size}\n{changed[path]}" for path, stat in stats.items()}
    known = _with_cache(lambda cache: dict(cache.execute(SELECT, [json.dumps(list(keys.values()))]))) or {}
    unread = [path for path, key in keys.items() if key not in known]
    with ThreadPoolExecutor() as pool:
        read = dict(zip(unread, progress(pool.map(_digest, unread), "hash files", total=len(unread))))
    settled = time.time_ns() - int(SETTLED_SECONDS * 1e9)
    rows = [(keys[path], digest) for path, digest in read.items() if changed[path] < settled]
    if rows:
        _with_cache(lambda cache: cache.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?)", rows))
    digests = {path: known[key] for path, key in keys.items() if key in known} | read
    return [digests.get(path, "") for path in paths]


def _digest(path: str) -> str:
    try:
        return hashlib.blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()
    except OSError:
        return ""


def _with_cache(function: Callable[[sqlite3.Connection], T]) -> T | None:
    """Call a function with a connection to the cache of digests, whose keys are path, size and time of the last change.

    None if the cache directory cannot be used.
    """
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        file = cache_folder() / "content_digests.sqlite"
        with contextlib.closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS digests (key TEXT PRIMARY KEY, digest TEXT)")
            return function(connection)
    except (OSError, sqlite3.Error) as error:
        log.debug("the cache of content digests cannot be used: %s", error)
        return None
