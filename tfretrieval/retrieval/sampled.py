"""A quick look at a large file: its size and blocks spread over it."""

from __future__ import annotations

import hashlib
from pathlib import Path

BLOCK = 1 << 16
BLOCKS = 64


def sampled_fingerprint(path: Path) -> str:
    """A short hash of a file's size and of 64 blocks of 64 KB, first and last among them; of a small file all bytes.

    It tells another, a cut and most replaced files, in the same time for any size. A change between the blocks goes
    unnoticed; `file_fingerprint` reads everything.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        if size <= BLOCK * BLOCKS:
            digest.update(file.read())
        else:
            for number in range(BLOCKS):
                file.seek((size - BLOCK) * number // (BLOCKS - 1))
                digest.update(file.read(BLOCK))
    return digest.hexdigest()[:16]
