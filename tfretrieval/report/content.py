"""What a report holds: plain values, no HTML."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tfretrieval.errors import UserError
from tfretrieval.report.thumbnail import Thumbnail


@dataclass(frozen=True)
class Estimate:
    """A value with its interval, both ends in the unit of the value."""

    value: float
    low: float
    high: float


Cell = str | int | float | Estimate | None


@dataclass(frozen=True)
class Table:
    """Rows under named columns.

    Attributes:
        columns: the names, left to right.
        rows: as many cells each; a float is written with three decimals, None or NaN as a dash.
        caption: what the table shows.
        row_headers: how many columns on the left name the row.
        best: column -> whether its greatest ("max") or least ("min") value is marked; ties are all marked.

    Raises:
        UserError: a row has another number of cells than there are columns, or `best` names none of them.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    row_headers: int = 1
    best: Mapping[str, Literal["max", "min"]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise UserError(f"a table of {len(self.columns)} columns has a row of {len(row)} cells: {row}")
        for column in self.best:
            if column not in self.columns:
                raise UserError(f"a table has no column {column!r} whose best value could be marked")

    def is_best(self, row: int, column: int) -> bool:
        """Whether the cell holds the best value of its column, as it is written: to three decimals.

        >>> table = Table(["model", "mAP"], [["a", 0.5], ["b", 0.9]], best={"mAP": "max"})
        >>> table.is_best(0, 1), table.is_best(1, 1)
        (False, True)
        """
        direction = self.best.get(self.columns[column])
        value = number(self.rows[row][column])
        if direction is None or value is None:
            return False
        known = [round(v, 3) for v in (number(other[column]) for other in self.rows) if v is not None]
        return len(known) > 1 and round(value, 3) == (max(known) if direction == "max" else min(known))


@dataclass(frozen=True)
class ReportFigure:
    """A picture with its title and what it shows, in words, for who cannot see it.

    Attributes:
        title: heading of the picture.
        alt: text in its place.
        png: bytes of a PNG, or the path of one; it is read when the page is written.
        wide: whether it takes the width of the page.
    """

    title: str
    alt: str
    png: bytes | str | os.PathLike[str]
    wide: bool = False

    def read(self) -> bytes:
        """The bytes of the PNG.

        Raises:
            UserError: the file cannot be read.
        """
        if isinstance(self.png, bytes):
            return self.png
        try:
            return Path(self.png).read_bytes()
        except OSError as error:
            raise UserError(f"cannot read the figure {self.png}: {error.strerror}; draw it anew") from None


@dataclass(frozen=True)
class Picture:
    """A small picture among others.

    Attributes:
        image: what is shown.
        alt: text in its place.
        caption: below it.
        detail: below that, smaller.
        in_question: whether it is the one that the others are held beside.
    """

    image: Thumbnail
    alt: str
    caption: str
    detail: str = ""
    in_question: bool = False


@dataclass(frozen=True)
class Case:
    """Pictures side by side, and what is said of them."""

    heading: str
    note: str
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Section:
    """A part of the report under its own heading."""

    heading: str
    prose: str = ""
    figures: Sequence[ReportFigure] = ()
    tables: Sequence[Table] = ()
    cases: Sequence[Case] = ()


@dataclass(frozen=True)
class Report:
    """A page.

    Attributes:
        title: of the page.
        summary: one or two sentences under the title.
        facts: (label, value) pairs shown at the top.
        table: the summary table.
        figures: shown under the summary table.
        sections: the parts, in order; they make the contents.
        provenance: (label, value) pairs at the end: versions, seed, command, fingerprints.
    """

    title: str
    summary: str = ""
    facts: Sequence[tuple[str, Cell]] = ()
    table: Table | None = None
    figures: Sequence[ReportFigure] = ()
    sections: Sequence[Section] = ()
    provenance: Sequence[tuple[str, Cell]] = ()


def number(cell: Cell) -> float | None:
    """The number in a cell; None for text, nothing and NaN."""
    value = cell.value if isinstance(cell, Estimate) else cell
    if value is None or isinstance(value, str) or math.isnan(value):
        return None
    return float(value)


def written(cell: Cell) -> str:
    """A cell as text, without its interval.

    >>> written(0.91), written(807), written(None), written(Estimate(0.5, 0.4, 0.6)), written("knn")
    ('0.910', '807', '–', '0.500', 'knn')
    """
    value = cell.value if isinstance(cell, Estimate) else cell
    if isinstance(value, str):
        return value
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"
