"""Download a file over HTTP, resuming an interrupted download."""

import hashlib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tfretrieval.errors import UserError
from tfretrieval.progress import progress

BLOCK = 1 << 20
TIMEOUT = 60
RANGE_NOT_SATISFIABLE = 416


def download(url: str, folder: Path) -> Path:
    """Download an http(s) URL into a file in `folder` and return the file.

    An interrupted download keeps its partial file. The next call requests the rest, or starts over if the server does
    not support ranges.

    Raises:
        UserError: the URL is invalid, the server does not respond, the connection ends early, or the folder cannot be
            written.
    """
    if not url.startswith(("http://", "https://")):
        raise UserError(f"cannot download {url}: use an http(s) URL or a file")
    file = folder / f".download-{hashlib.sha256(url.encode()).hexdigest()[:12]}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(url, file)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise UserError(f"cannot download {url}: {getattr(error, 'reason', error)}") from None
    return file


def _fetch(url: str, file: Path) -> None:
    start = file.stat().st_size if file.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == RANGE_NOT_SATISFIABLE and start:
            return
        raise
    with response:
        _append(response, file, start if response.status == 206 else 0)


def _append(response: Any, file: Path, start: int) -> None:
    length = response.headers.get("Content-Length")
    total = start + int(length) if length else None
    with file.open("r+b" if start else "wb") as output, progress(None, "download", total=total, unit="B") as bar:
        output.seek(start)
        bar.update(start)
        while block := response.read(BLOCK):
            output.write(block)
            bar.update(len(block))
        size = output.tell()
    if total is not None and size != total:
        raise ValueError(f"the connection ended after {size} of {total} bytes; rerun the command to resume")
