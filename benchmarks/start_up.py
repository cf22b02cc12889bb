"""Time of `tfret --help`, compared with `python -c pass` and with importing click.

Whole processes, interleaved, after one warm-up of each.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import subprocess
import sys
from pathlib import Path

from results import publish
from timing import spread, time_interleaved

TFRET = Path(sys.executable).with_name("tfret")
BASELINE = "python -c pass"
COMMANDS = {
    BASELINE: [sys.executable, "-c", "pass"],
    "python -c 'import click'": [sys.executable, "-c", "import click"],
    "tfret --help": [str(TFRET), "--help"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round, nothing saved")
    quick = parser.parse_args().quick
    repeats = 1 if quick else 31
    run = functools.partial(subprocess.run, stdout=subprocess.DEVNULL, check=True)
    sides = {name: functools.partial(run, command) for name, command in COMMANDS.items()}
    seconds = time_interleaved(sides, repeats)
    rows = [
        {
            "process": name,
            "ms": spread([1000 * s for s in values], 1),
            "relative to Python": f"{statistics.median(a / b for a, b in zip(values, seconds[BASELINE])):.2f}",
        }
        for name, values in seconds.items()
    ]
    publish("start_up", "Start-up time", rows, f"{repeats} rounds.", save=not quick)


if __name__ == "__main__":
    main()
