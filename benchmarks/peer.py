"""Peers in environments and processes of their own, driven one call at a time so that sides can take turns.

A peer's script lies in `peers/`, needs nothing of this project, and ends with a loop over its standard input: a line
names what to run, the answer is one line of JSON with at least `seconds`. Its first line, `{}`, says that it is ready.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ENVIRONMENTS = HERE / ".environments"


class Peer:
    """A running peer.

    Args:
        script: its file in `peers/`.
        arguments: of its command line.
        requirements: what pip installs into its environment, which is kept for the next time; none: this Python's.
        environment: variables that are added to this process's.
    """

    def __init__(
        self,
        script: str,
        *arguments: str,
        requirements: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
    ) -> None:
        python = environment_of(requirements) if requirements else sys.executable
        self._process = subprocess.Popen(
            [python, str(HERE / "peers" / script), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})},
        )  # fmt: skip
        self._answer(script)

    def ask(self, what: str) -> dict[str, Any]:
        """Let it run something, and return what it says of it."""
        assert self._process.stdin is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        return self._answer(what)

    def seconds(self, what: str) -> float:
        return float(self.ask(what)["seconds"])

    def close(self) -> None:
        self._process.communicate(timeout=60)

    def _answer(self, what: str) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended at {what!r} with exit code {self._process.wait()}")
        return json.loads(line)


def environment_of(requirements: tuple[str, ...]) -> str:
    """The Python of an environment that holds the requirements; made at the first call."""
    digest = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:12]
    folder = ENVIRONMENTS / digest
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([str(python), "-m", "pip", "install", *quiet, *requirements], check=True)
        (folder / "complete").touch()
    return str(python)
