"""What a folder holds, for comparison."""

from __future__ import annotations

import hashlib
from pathlib import Path


def tree_of(folder: Path) -> dict[str, str]:
    """{relative path: hash of the contents} of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
