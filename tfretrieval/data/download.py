"""Fetching a file over HTTP; what has arrived is kept and gone on from."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tfretrieval.errors import UserError
from tfretrieval.progress import progress

BLOCK = 1 << 20
TIMEOUT = 60
RANGE_IS_EMPTY = 416


def download(address: str, folder: Path) -> Path:
    """Fetch `address`, http or https, into a file in `folder`, and return the file.

    An interrupted download leaves its part there; the next call asks the server for the rest, or begins anew where
    the server cannot give it.

    Raises:
        UserError: no such address, no answer, a connection that ends early, or a folder that cannot be written.
    """
    if not address.startswith(("http://", "https://")):
        raise UserError(f"cannot download {address}: give an http(s) address or a file")
    part = folder / f".download-{hashlib.sha256(address.encode()).hexdigest()[:12]}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(address, part)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise UserError(f"cannot download {address}: {getattr(error, 'reason', error)}") from None
    return part


def _fetch(address: str, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == RANGE_IS_EMPTY and have:
            return
        raise
    with response:
        if response.status != 206:
            have = 0
        _append(response, part, have)


def _append(response: Any, part: Path, have: int) -> None:
    length = response.headers.get("Content-Length")
    total = have + int(length) if length else None
    with part.open("r+b" if have else "wb") as file, progress(None, "download", total=total, unit="B") as bar:
        file.seek(have)
        bar.update(have)
        while block := response.read(BLOCK):
            file.write(block)
            bar.update(len(block))
        arrived = file.tell()
    if total is not None and arrived != total:
        raise ValueError(f"the connection ended after {arrived} of {total} bytes; call again to go on")
