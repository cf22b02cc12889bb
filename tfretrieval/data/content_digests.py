"""Digests of the contents of image files, cached by size and modification time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tfretrieval.data.cache import cache_folder
from tfretrieval.progress import progress

log = logging.getLogger(__name__)

SETTLED_SECONDS = 2.0  # a file modified less than this ago may change again within the resolution of its time stamp

Stat = tuple[int, int]
T = TypeVar("T")


def content_digests(paths: Sequence[str]) -> list[str]:
    """A digest of the content of each file, in order; "" for a file that is missing, unreadable or remote.

    Digests are kept in the cache directory. A file is read again only if its size or modification time has changed.
    """
    stats = {path: stat for path in paths if (stat := _stat(path)) is not None}
    known = _with_cache(lambda cache: _read(cache, stats)) or {}
    unread = [path for path in stats if path not in known]
    with ThreadPoolExecutor() as pool:
        read = dict(zip(unread, progress(pool.map(_digest, unread), "fingerprint", total=len(unread))))
    settled = time.time_ns() - int(SETTLED_SECONDS * 1e9)
    rows = [(path, *stats[path], digest) for path, digest in read.items() if stats[path][1] < settled]
    if rows:
        _with_cache(lambda cache: cache.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)", rows))
    digests = known | read
    return [digests.get(path, "") for path in paths]


def _stat(path: str) -> Stat | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _digest(path: str) -> str:
    digest = hashlib.blake2b(digest_size=16)
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


def _with_cache(function: Callable[[sqlite3.Connection], T]) -> T | None:
    """Call a function with the SQLite table of digests; None if the cache directory cannot be used."""
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        file = cache_folder() / "content_digests.sqlite"
        with contextlib.closing(sqlite3.connect(file)) as connection, connection:
            columns = "path TEXT PRIMARY KEY, size INTEGER, modified INTEGER, digest TEXT"
            connection.execute(f"CREATE TABLE IF NOT EXISTS digests ({columns})")
            return function(connection)
    except (OSError, sqlite3.Error) as error:
        log.debug("the cache of content digests cannot be used: %s", error)
        return None


def _read(cache: sqlite3.Connection, stats: dict[str, Stat]) -> dict[str, str]:
    """The digests of files whose size and modification time are the same as when they were read."""
    query = "SELECT path, size, modified, digest FROM digests WHERE path IN (SELECT value FROM json_each(?))"
    rows = cache.execute(query, [json.dumps(list(stats))])
    return {path: digest for path, size, modified, digest in rows if stats[path] == (size, modified)}
