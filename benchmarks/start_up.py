"""How long `tfret --help` takes, against a bare `python -c pass` and against importing click alone.

Whole processes in turn, after one warm-up of each; medians over pairs.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from machine import machine

REPEATS = 31
TFRET = Path(sys.executable).with_name("tfret")
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import click'": [sys.executable, "-c", "import click"],
    "tfret --help": [str(TFRET), "--help"],
}


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for repeat in range(REPEATS + 1):
        for name, command in COMMANDS.items():
            started = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            if repeat:
                seconds[name].append(time.perf_counter() - started)
    bare = seconds["python -c pass"]
    print(f"{machine()}; medians of {REPEATS} paired runs")
    for name, times in seconds.items():
        ratio = statistics.median(one / other for one, other in zip(times, bare))
        print(f"{name:26} {1000 * statistics.median(times):7.1f} ms  {ratio:5.2f} times")


if __name__ == "__main__":
    main()
