"""How long `tfret --help` takes, against a bare `python -c pass` and against importing click alone.

Whole processes in turn, after one warm-up of each.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import subprocess
import sys
from pathlib import Path

from results import publish
from timing import in_turn, spread

TFRET = Path(sys.executable).with_name("tfret")
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import click'": [sys.executable, "-c", "import click"],
    "tfret --help": [str(TFRET), "--help"],
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one round, nothing kept")
    quick = parser.parse_args().quick
    repeats = 1 if quick else 31
    run = functools.partial(subprocess.run, stdout=subprocess.DEVNULL, check=True)
    seconds = in_turn({name: functools.partial(run, command) for name, command in COMMANDS.items()}, repeats)
    bare = seconds["python -c pass"]
    rows = [
        {
            "process": name,
            "ms": spread([1000 * s for s in taken], 1),
            "times as long as Python": f"{statistics.median(a / b for a, b in zip(taken, bare)):.2f}",
        }
        for name, taken in seconds.items()
    ]
    publish("start_up", "Starting", rows, f"{repeats} rounds.", keep=not quick)


if __name__ == "__main__":
    main()
