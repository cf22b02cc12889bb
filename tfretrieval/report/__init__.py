"""The HTML report of a run or study: contents, tables, captions and the page."""

from tfretrieval.report.content import (
    Case,
    Estimate,
    ImageRow,
    ImageRows,
    Report,
    ReportFigure,
    ReportImage,
    Rounded,
    Section,
    Table,
)
from tfretrieval.report.page import render_report, write_report

__all__ = [
    "Case",
    "Estimate",
    "ImageRow",
    "ImageRows",
    "Report",
    "ReportFigure",
    "ReportImage",
    "Rounded",
    "Section",
    "Table",
    "render_report",
    "write_report",
]
