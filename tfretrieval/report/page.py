"""From a `Report` to one HTML file that needs nothing beside itself."""

from __future__ import annotations

import itertools
import os
import re
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tfretrieval.atomic import write_text
from tfretrieval.report.content import Cell, Estimate, Report, written
from tfretrieval.report.image import data_uri, pixels_uri, shown_size


def write_report(path: str | os.PathLike[str], report: Report) -> None:
    """Write the report as one HTML file, whole or not at all.

    Raises:
        UserError: a figure is missing, or neither a PNG nor an SVG, or the file cannot be written.
    """
    write_text(path, render_report(report))


def render_report(report: Report) -> str:
    """The report as HTML: figures and style inside, no script, nothing fetched, all text escaped.

    The same report gives the same text.

    Raises:
        UserError: a figure is missing, or neither a PNG nor an SVG.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        written=written, data_uri=data_uri, pixels_uri=pixels_uri, shown_size=shown_size, paragraphs=_paragraphs
    )
    environment.tests.update(estimate=lambda cell: isinstance(cell, Estimate), measured=_is_measured)
    environment.globals.update(
        figure_number=partial(next, itertools.count(1)), table_number=partial(next, itertools.count(1))
    )
    anchors = [_anchor(i, section.heading) for i, section in enumerate(report.sections, start=1)]
    return environment.get_template("page.html.j2").render(report=report, anchors=anchors)


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def _anchor(position: int, heading: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")
    return f"s{position}-{words}" if words else f"s{position}"


def _is_measured(cell: Cell) -> bool:
    return not isinstance(cell, str)
