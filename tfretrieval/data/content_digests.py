"""Digests of the contents of image files, cached by size and modification time."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tfretrieval.data.cache import cache_folder
from tfretrieval.progress import progress

log = logging.getLogger(__name__)

QUERY_SIZE = 500
SETTLED_SECONDS = 2.0  # a file modified less than this ago may change again within the resolution of its time stamp

Stat = tuple[int, int]


def content_digests(paths: Sequence[str]) -> list[str]:
    """A digest of the content of each file, in order; "" for a file that is missing, unreadable or remote.

    Digests are kept in the cache directory. A file is read again only if its size or modification time has changed.
    """
    stats = {path: stat for path in paths if (stat := _stat(path)) is not None}
    with contextlib.closing(_Cache()) as cache:
        known = {path: digest for path, stat, digest in cache.read(stats) if stats[path] == stat}
        unread = [path for path in stats if path not in known]
        with ThreadPoolExecutor() as pool:
            read = dict(zip(unread, progress(pool.map(_digest, unread), "fingerprint", total=len(unread))))
        settled = time.time_ns() - int(SETTLED_SECONDS * 1e9)
        cache.write((path, *stats[path], digest) for path, digest in read.items() if stats[path][1] < settled)
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


class _Cache:
    """A SQLite table of digests; without effect where the cache directory cannot be used."""

    def __init__(self) -> None:
        self._connection = None
        with self._ignoring_errors():
            cache_folder().mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(cache_folder() / "content_digests.sqlite")
            self._connection = connection
            columns = "path TEXT PRIMARY KEY, size INTEGER, modified INTEGER, digest TEXT"
            connection.execute(f"CREATE TABLE IF NOT EXISTS digests ({columns})")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def read(self, paths: Iterable[str]) -> list[tuple[str, Stat, str]]:
        names, rows = list(paths), []
        with self._ignoring_errors():
            for start in range(0, len(names) if self._connection else 0, QUERY_SIZE):
                part = names[start : start + QUERY_SIZE]
                marks = ",".join("?" * len(part))
                query = f"SELECT path, size, modified, digest FROM digests WHERE path IN ({marks})"
                rows += [
                    (path, (size, modified), digest) for path, size, modified, digest in self._execute(query, part)
                ]
        return rows

    def write(self, rows: Iterable[tuple[str, int, int, str]]) -> None:
        with self._ignoring_errors():
            if self._connection is not None:
                with self._connection:
                    self._connection.executemany("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)", rows)

    def _execute(self, query: str, values: Sequence[str]) -> sqlite3.Cursor:
        assert self._connection is not None
        return self._connection.execute(query, values)

    @contextlib.contextmanager
    def _ignoring_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            log.debug("the cache of content digests cannot be used: %s", error)
