"""Images that lie elsewhere: paths of fsspec, such as s3://bucket/a.jpg, fetched for as long as they are needed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tfretrieval.errors import UserError

FETCHES = 16  # at a time


def is_remote(path: str) -> bool:
    """Whether a path names a place that fsspec reads."""
    return "://" in path


@contextlib.contextmanager
def fetched(paths: Sequence[str]) -> Iterator[tuple[list[str], dict[int, str]]]:
    """Files of this machine for paths of which some are remote, and {place: reason} of those that cannot be fetched.

    What was fetched is deleted at the end of the block.

    Raises:
        UserError: a path is remote and fsspec is not installed.
    """
    remote = [place for place, path in enumerate(paths) if is_remote(path)]
    files: list[str] = [str(path) for path in paths]
    failures: dict[int, str] = {}
    if not remote:
        yield files, failures
        return
    try:
        import fsspec
    except ImportError:
        raise UserError("remote images need fsspec; use pip install 'tfretrieval[ray]'") from None

    def fetch(place: int) -> str:
        """The reason if it fails, else ""."""
        try:
            with fsspec.open(paths[place], "rb") as source, open(files[place], "wb") as target:
                target.write(source.read())
        except Exception as error:  # every file system raises its own
            return " ".join(f"it cannot be fetched: {type(error).__name__} {error}".split())[:160]
        return ""

    with tempfile.TemporaryDirectory(prefix="tfretrieval-") as folder, ThreadPoolExecutor(FETCHES) as pool:
        for place in remote:
            files[place] = os.path.join(folder, f"{place}{os.path.splitext(paths[place])[1][:8]}")
        failures.update((place, reason) for place, reason in zip(remote, pool.map(fetch, remote)) if reason)
        yield files, failures
