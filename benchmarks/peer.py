"""Peers: other implementations, each in its own environment and process, that run one request at a time.

The script of a peer is in `peers/`. It prints `{}` when it is ready. Then it reads requests from its standard input,
one per line, and answers each by one line of JSON with at least `seconds`.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ENVIRONMENTS = HERE / ".environments"


class Peer:
    """A running peer.

    Args:
        script: file name in `peers/`.
        arguments: arguments of its command line.
        requirements: packages of its virtual environment, which is created on first use; by default, the peer runs in
            the environment of this process.
    """

    def __init__(self, script: str, *arguments: str, requirements: tuple[str, ...] = ()) -> None:
        python = environment_python(requirements) if requirements else sys.executable
        command = [python, str(HERE / "peers" / script), *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read(script)

    def request(self, text: str) -> dict[str, Any]:
        """Send a request and return the response."""
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()
        return self._read(text)

    def seconds(self, text: str) -> float:
        """Send a request and return its seconds."""
        return float(self.request(text)["seconds"])

    def close(self) -> None:
        self._process.communicate(timeout=60)

    def _read(self, request: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended at {request!r} with exit status {self._process.wait()}")
        return json.loads(line)


def environment_python(requirements: tuple[str, ...]) -> str:
    """Python of a virtual environment with these packages, created on first use."""
    digest = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:12]
    directory = ENVIRONMENTS / digest
    python = directory / "bin" / "python"
    if not (directory / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory)], check=True)
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([str(python), "-m", "pip", "install", *quiet, *requirements], check=True)
        (directory / "complete").touch()
    return str(python)
