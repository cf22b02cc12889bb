"""Results of a benchmark: a table on the terminal, and a JSON file for `docs/performance.md`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from machine import machine

RESULTS = Path(__file__).parent / "results"


def publish(name: str, title: str, rows: Sequence[dict[str, Any]], notes: str, save: bool = True) -> None:
    """Print a table and save it as `results/<name>.json`.

    Args:
        name: name of the benchmark.
        title: heading of the table.
        rows: dicts with the same keys, the columns.
        notes: method, sizes, repeats, versions.
        save: whether to write the file; false for `--quick`.
    """
    print(f"{title}\n{machine()}\n{notes}\n")
    print(as_text(rows))
    if save:
        RESULTS.mkdir(exist_ok=True)
        content = {"title": title, "machine": machine(), "notes": notes, "rows": list(rows)}
        (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def as_text(rows: Sequence[dict[str, Any]]) -> str:
    """A table with aligned columns."""
    columns = list(rows[0])
    cells = [columns, *([str(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells)


def as_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table."""
    columns = list(rows[0])
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return "\n".join(lines + [f"| {' | '.join(str(row[column]) for column in columns)} |" for row in rows])
