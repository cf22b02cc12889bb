"""One self-contained HTML page for a run or a study."""

from tfretrieval.report.content import (
    Case,
    Estimate,
    ImageRow,
    ImageRows,
    Measured,
    Report,
    ReportFigure,
    ReportImage,
    Section,
    Table,
)
from tfretrieval.report.page import render_report, write_report

__all__ = [
    "Case",
    "Estimate",
    "ImageRow",
    "ImageRows",
    "Measured",
    "Report",
    "ReportFigure",
    "ReportImage",
    "Section",
    "Table",
    "render_report",
    "write_report",
]
