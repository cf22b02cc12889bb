"""Rendering of a `Report` to one self-contained HTML file."""

import itertools
import os
import re
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tfretrieval.atomic import write_text
from tfretrieval.report.content import Report, format_cell
from tfretrieval.report.image import data_uri, page_size, pixels_uri


def write_report(path: str | os.PathLike[str], report: Report) -> None:
    """Write a report as one HTML file, atomically.

    Raises:
        UserError: the file cannot be written.
    """
    write_text(path, render_report(report))


def render_report(report: Report) -> str:
    """Render a report as HTML: figures and style inline, no script, nothing fetched, all text escaped.

    The files of its figures are read.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(format_cell=format_cell, data_uri=data_uri, pixels_uri=pixels_uri, page_size=page_size)
    environment.globals.update(
        figure_number=partial(next, itertools.count(1)), table_number=partial(next, itertools.count(1))
    )
    anchors = [_anchor(i, section.heading) for i, section in enumerate(report.sections, start=1)]
    return environment.get_template("page.html.j2").render(report=report, anchors=anchors)


def _anchor(position: int, heading: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-")
    return f"s{position}-{words}" if words else f"s{position}"
