"""What a report holds: plain values, no HTML."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from tfretrieval.errors import UserError


@dataclass(frozen=True)
class Estimate:
    """A value with its interval, both ends in the unit of the value."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Measured:
    """A value with as many decimals as it deserves."""

    value: float
    digits: int = 0


Cell = str | int | float | Estimate | Measured | None


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
    """A drawing; the page gives it a number.

    Attributes:
        title: heading of the drawing.
        alt: text in its place, for who cannot see it.
        image: bytes of a PNG or an SVG, or the path of one; it is read when the page is written.
        caption: what to see in it.
        wide: whether it takes the width of the page.
    """

    title: str
    alt: str
    image: bytes | str | os.PathLike[str]
    caption: str = ""
    wide: bool = False

    def read(self) -> bytes:
        """The bytes of the drawing.

        Raises:
            UserError: the file cannot be read.
        """
        if isinstance(self.image, bytes):
            return self.image
        try:
            return Path(self.image).read_bytes()
        except OSError as error:
            raise UserError(f"cannot read the figure {self.image}: {error.strerror}; draw it anew") from None


@dataclass(frozen=True, eq=False)
class ReportImage:
    """A small image with the words below it.

    Attributes:
        pixels: uint8 [h, w, 3], RGB.
        label: its class, "" where that is not known.
        note: a second line.
        right: whether it was rightly found, shown by sign, frame and color; None where nobody can say.
        name: text in its place; its label where there is none.
    """

    pixels: np.ndarray
    label: str
    note: str = ""
    right: bool | None = None
    name: str = ""


@dataclass(frozen=True)
class ImageRow:
    """An image that asks and those found for it, the nearest first."""

    query: ReportImage
    found: Sequence[ReportImage]


@dataclass(frozen=True)
class ImageRows:
    """Queries with what was found for them; the page gives them a figure's number."""

    title: str
    rows: Sequence[ImageRow]
    caption: str = ""


@dataclass(frozen=True)
class Case:
    """Images side by side, and what is said of them.

    Attributes:
        heading: of the case.
        note: below it.
        images: side by side.
        asked: whether the first is the one that the others are held beside.
    """

    heading: str
    note: str
    images: Sequence[ReportImage]
    asked: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the report under its own heading.

    Attributes:
        heading: of the part.
        prose: text below it; a blank line parts paragraphs.
        tables: shown first.
        figures: then these.
        images: then these.
        cases: then these.
        sections: parts of the part.
    """

    heading: str
    prose: str = ""
    figures: Sequence[ReportFigure] = ()
    tables: Sequence[Table] = ()
    images: Sequence[ImageRows] = ()
    cases: Sequence[Case] = ()
    sections: Sequence[Section] = ()


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
    value = cell.value if isinstance(cell, Estimate | Measured) else cell
    if value is None or isinstance(value, str) or math.isnan(value):
        return None
    return float(value)


def written(cell: Cell) -> str:
    """A cell as text, without its interval.

    >>> written(0.91), written(807), written(None), written(Estimate(0.5, 0.4, 0.6)), written("knn")
    ('0.910', '807', '–', '0.500', 'knn')
    >>> written(Measured(1234.56, 1))
    '1,234.6'
    """
    if isinstance(cell, Measured):
        return f"{cell.value:,.{cell.digits}f}"
    value = cell.value if isinstance(cell, Estimate) else cell
    if isinstance(value, str):
        return value
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"
