"""One self-contained HTML page for a run or a study."""

from tfretrieval.report.content import Case, Estimate, Picture, Report, ReportFigure, Section, Table
from tfretrieval.report.page import render_report, write_report
from tfretrieval.report.thumbnail import Thumbnail

__all__ = [
    "Case",
    "Estimate",
    "Picture",
    "Report",
    "ReportFigure",
    "Section",
    "Table",
    "Thumbnail",
    "render_report",
    "write_report",
]
