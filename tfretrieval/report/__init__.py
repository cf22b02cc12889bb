"""One self-contained HTML page for a run or a study."""

from tfretrieval.report.content import (
    Case,
    Estimate,
    Measured,
    Picture,
    PictureRow,
    PictureRows,
    Report,
    ReportFigure,
    Section,
    Table,
)
from tfretrieval.report.page import render_report, write_report

__all__ = [
    "Case",
    "Estimate",
    "Measured",
    "Picture",
    "PictureRow",
    "PictureRows",
    "Report",
    "ReportFigure",
    "Section",
    "Table",
    "render_report",
    "write_report",
]
