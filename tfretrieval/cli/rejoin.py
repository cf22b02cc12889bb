"""Begin this command anew after another worker was lost: TensorFlow cannot meet it again in the same process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

ATTEMPTS = "TFRET_REJOINED"
MOST_ATTEMPTS = 10
A_GOOD_WHILE = 60.0


def rejoin(error: Exception, run: Path, seconds: float) -> None:
    """Replace this process by the same command with `--resume`; return where that has been tried too often in a row.

    Args:
        error: what was lost.
        run: the run to go on with.
        seconds: how long the training went well.
    """
    attempts = 1 if seconds > A_GOOD_WHILE else int(os.environ.get(ATTEMPTS, "0")) + 1
    count = len(sys.argv) - 1
    program = sys.orig_argv[: len(sys.orig_argv) - count]
    if attempts > MOST_ATTEMPTS or sys.orig_argv[len(program) :] != sys.argv[1:]:
        return
    click.echo(f"tfret: {error}; this one waits for the others and goes on", err=True)
    os.environ[ATTEMPTS] = str(attempts)
    arguments = [argument for argument in sys.argv[1:] if argument not in ("--overwrite", "--resume")]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *program[1:], *arguments, "--resume", f"--run={run}"])
