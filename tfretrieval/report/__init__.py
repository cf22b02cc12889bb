"""One self-contained HTML page for a run or a study."""

from tfretrieval.report.content import (
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
