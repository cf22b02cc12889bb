"""What a benchmark leaves: a table on the terminal, and a JSON file that the page of all of them is made from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from machine import machine

RESULTS = Path(__file__).parent / "results"


def publish(name: str, title: str, rows: Sequence[dict[str, Any]], notes: str, keep: bool = True) -> None:
    """Print a table and keep it as `results/<name>.json`.

    Args:
        name: of the script.
        title: the claim, in a few words.
        rows: each a dict of the same keys, the columns.
        notes: how it was measured: sizes, repeats, versions.
        keep: whether to write the file; a quick look does not.
    """
    print(f"{title}\n{machine()}\n{notes}\n")
    print(as_text(rows))
    if keep:
        RESULTS.mkdir(exist_ok=True)
        content = {"title": title, "machine": machine(), "notes": notes, "rows": list(rows)}
        (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def as_text(rows: Sequence[dict[str, Any]]) -> str:
    """Columns aligned for a terminal."""
    columns = list(rows[0])
    cells = [columns, *([str(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells)
