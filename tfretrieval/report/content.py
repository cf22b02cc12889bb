"""Contents of a report, without HTML."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tfretrieval.report.image import smaller_format
from tfretrieval.visualize.neighbors import ImageRow


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence interval, in the unit of the value."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Rounded:
    """A value with the number of decimals to show."""

    value: float
    digits: int = 0


Cell = str | int | float | Estimate | Rounded | None


@dataclass(frozen=True)
class Table:
    """Rows under named columns.

    Attributes:
        columns: column names.
        rows: one cell per column; floats are shown with three decimals, None and NaN as a dash.
        caption: what the table shows.
        row_headers: number of columns on the left that name the row.
        best: column -> whether its "max" or "min" is marked; all ties are marked.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    row_headers: int = 1
    best: Mapping[str, Literal["max", "min"]] = field(default_factory=dict)

    @classmethod
    def from_rows(cls, rows: Sequence[Mapping[str, Cell]], **options: Any) -> Table:
        """Create a table from rows that map the same columns to cells.

        >>> Table.from_rows([{"Model": "a", "mAP": 0.5}, {"Model": "b", "mAP": 0.9}]).columns
        ['Model', 'mAP']
        """
        return cls(list(rows[0]), [list(row.values()) for row in rows], **options)

    def is_best(self, row: int, column: int) -> bool:
        """Whether the cell holds the best value of its column, compared as shown.

        >>> table = Table(["model", "mAP"], [["a", 0.5], ["b", 0.9]], best={"mAP": "max"})
        >>> table.is_best(0, 1), table.is_best(1, 1)
        (False, True)
        """
        direction, cell = self.best.get(self.columns[column]), self.rows[row][column]
        value, digits = cell_value(cell), cell.digits if isinstance(cell, Rounded) else 3
        if direction is None or value is None:
            return False
        values = [round(v, digits) for v in (cell_value(other[column]) for other in self.rows) if v is not None]
        return len(values) > 1 and round(value, digits) == (max(values) if direction == "max" else min(values))


@dataclass(frozen=True)
class Drawing:
    """A plot on disk and how a report presents it; the page numbers it.

    Attributes:
        kind: "history", "pr", "confusion", "neighbors", "hardest", "umap", "tsne" or "comparison".
        path: path of the PNG; an SVG may be beside it.
        title: title of the plot.
        alt: alternative text.
        caption: description computed from the plotted values.
        rows: queries with their neighbors, of the kinds that show them; the report shows these in place of the plot.
    """

    kind: str
    path: Path
    title: str
    alt: str
    caption: str = ""
    rows: Sequence[ImageRow] = ()

    @property
    def is_wide(self) -> bool:
        """Whether the plot takes the full width of the page."""
        return self.kind in ("history", "comparison") or bool(self.rows)

    def read(self) -> bytes:
        """Return the bytes of the SVG, or of the PNG if that is smaller."""
        return smaller_format(self.path).read_bytes()


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Attributes:
        heading: heading of the section.
        prose: text; a blank line separates paragraphs.
        figures: figures, after the tables.
        tables: tables, shown first.
        cases: rows of images with headings, after the figures.
        sections: subsections.
    """

    heading: str
    prose: str = ""
    figures: Sequence[Drawing] = ()
    tables: Sequence[Table] = ()
    cases: Sequence[ImageRow] = ()
    sections: Sequence[Section] = ()


@dataclass(frozen=True)
class Report:
    """A page.

    Attributes:
        title: title of the page.
        summary: one or two sentences below the title.
        facts: (label, value) pairs at the top.
        table: the summary table.
        figures: figures below the summary table.
        sections: sections, in order; they make up the table of contents.
        provenance: (label, value) pairs at the end: versions, seed, command, fingerprints.
    """

    title: str
    summary: str = ""
    facts: Sequence[tuple[str, Cell]] = ()
    table: Table | None = None
    figures: Sequence[Drawing] = ()
    sections: Sequence[Section] = ()
    provenance: Sequence[tuple[str, Cell]] = ()


def cell_value(cell: Cell) -> float | None:
    """Return the number in a cell; None for text, None and NaN."""
    value = cell.value if isinstance(cell, Estimate | Rounded) else cell
    if value is None or isinstance(value, str) or math.isnan(value):
        return None
    return float(value)


def format_cell(cell: Cell) -> str:
    """Format a cell as text, without its interval.

    >>> format_cell(0.91), format_cell(807), format_cell(None), format_cell(Estimate(0.5, 0.4, 0.6)), format_cell("knn")
    ('0.910', '807', '–', '0.500', 'knn')
    >>> format_cell(Rounded(1234.56, 1))
    '1,234.6'
    """
    if isinstance(cell, Rounded):
        return f"{cell.value:,.{cell.digits}f}"
    value = cell.value if isinstance(cell, Estimate) else cell
    if isinstance(value, str):
        return value
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"
