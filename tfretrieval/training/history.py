"""Training history as a CSV file with one row per epoch."""

import csv
import io
from pathlib import Path
from typing import Any

from tfretrieval.atomic import write_text
from tfretrieval.errors import UserError


def write_history(path: Path, history: list[dict[str, Any]]) -> None:
    """Write the metrics of each epoch; missing metrics become empty cells."""
    columns = list(dict.fromkeys(name for row in history for name in row)) or ["epoch"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_text(path, text.getvalue())


def read_history(path: Path) -> list[dict[str, float]]:
    """Read the metrics of each epoch; empty cells are omitted.

    Raises:
        UserError: the file is missing or damaged.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({error}); delete it, the model does not need it") from None


def best_epoch(history: list[dict[str, float]], monitor: str) -> dict[str, float] | None:
    """The first row with the highest `monitor`; the last row if none has it; None without rows."""
    monitored = [row for row in history if monitor in row]
    return max(monitored, key=lambda row: row[monitor], default=history[-1] if history else None)
