"""From a `Report` to one HTML file that needs nothing beside itself."""

from __future__ import annotations

import os
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tfretrieval.atomic import write_text
from tfretrieval.report.content import Cell, Estimate, Report, written
from tfretrieval.report.picture import data_uri, pixel_size


def write_report(path: str | os.PathLike[str], report: Report) -> None:
    """Write the report as one HTML file, whole or not at all.

    Raises:
        UserError: a figure is missing or no PNG, or the file cannot be written.
    """
    write_text(path, render_report(report))


def render_report(report: Report) -> str:
    """The report as HTML: figures and style inside, no script, nothing fetched, all text escaped.

    The same report gives the same text.

    Raises:
        UserError: a figure is missing or no PNG.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(written=written, data_uri=data_uri, pixel_size=pixel_size)
    environment.tests.update(estimate=lambda cell: isinstance(cell, Estimate), measured=_is_measured)
    anchors = [_anchor(i, section.heading) for i, section in enumerate(report.sections, start=1)]
    return environment.get_template("page.html.j2").render(report=report, anchors=anchors)


def _anchor(position: int, heading: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")
    return f"s{position}-{words}" if words else f"s{position}"


def _is_measured(cell: Cell) -> bool:
    return not isinstance(cell, str)
