"""Printing of results: results to stdout, everything else to stderr."""

import contextlib
import functools
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from tfretrieval.errors import in_one_line
from tfretrieval.progress import LinesBetweenBars


def prints_result(command: Callable[..., tuple[Any, str]]) -> Callable[..., int]:
    """Decorate a function that returns (result, text): print the text, or with `--json` the result.

    Whatever libraries write to stdout meanwhile goes to stderr. The key "exit_code" of a result sets the exit status.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
    @functools.wraps(command)
    def wrapped(*arguments: Any, as_json: bool, **options: Any) -> int:
        with contextlib.redirect_stdout(sys.stderr), log_to_stderr():
            result, text = command(*arguments, **options)
        code = result.pop("exit_code", 0)
        click.echo(json.dumps(result, ensure_ascii=False, allow_nan=False) if as_json else text)
        return code

    return wrapped


@contextlib.contextmanager
def log_to_stderr() -> Iterator[None]:
    """Show log messages of this package, from level INFO on, inside the block."""
    log = logging.getLogger("tfretrieval")
    handler = LinesBetweenBars(sys.stderr)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Format rows as aligned columns: the first left-aligned, the others right-aligned."""
    rows = [[in_one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    lines = []
    for row in [columns, *rows]:
        cells = [cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
