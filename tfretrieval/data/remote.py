"""Remote images: fsspec paths such as s3://bucket/a.jpg, downloaded temporarily."""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tfretrieval.errors import one_line, require

CONCURRENT_DOWNLOADS = 16


def is_remote(path: str) -> bool:
    """Whether a path is an fsspec URL."""
    return "://" in path


@contextlib.contextmanager
def fetched(paths: Sequence[str]) -> Iterator[tuple[list[str], dict[int, str]]]:
    """Local files for paths that may be remote, deleted at the end of the block.

    Yields:
        files: a local path for each path.
        failures: {index: reason} of the downloads that failed.

    Raises:
        UserError: a path is remote and fsspec is not installed.
    """
    remote = [index for index, path in enumerate(paths) if is_remote(path)]
    files: list[str] = [str(path) for path in paths]
    failures: dict[int, str] = {}
    if not remote:
        yield files, failures
        return
    fsspec = require("fsspec", "ray")

    def fetch(index: int) -> None:
        files[index] = os.path.join(folder, f"{index}{os.path.splitext(paths[index])[1][:8]}")
        try:
            with fsspec.open(paths[index], "rb") as source, open(files[index], "wb") as target:
                target.write(source.read())
        except Exception as error:  # file systems raise errors of any class
            failures[index] = f"download failed: {type(error).__name__} {one_line(error, 120)}"

    with tempfile.TemporaryDirectory(prefix="tfretrieval-") as folder, ThreadPoolExecutor(CONCURRENT_DOWNLOADS) as pool:
        list(pool.map(fetch, remote))
        yield files, failures
