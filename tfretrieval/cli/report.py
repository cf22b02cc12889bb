"""`tfret report`."""

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import data_option, retrievers_option, run_option, seed_option
from tfretrieval.cli.output import prints_result


@click.command()
@run_option
@data_option
@retrievers_option
@click.option("--queries", type=click.IntRange(min=1), default=6, help="Queries per figure.")
@seed_option
@prints_result
def report(
    run: Path | None, data: str | None, retrievers: tuple[str, ...], queries: int, seed: int
) -> tuple[dict[str, Any], str]:
    """Write an HTML report of a run.

    Data, metrics, figures, size, time and memory in one self-contained file, report.html, for screen and print. Missing
    evaluations are computed; figures are redrawn and kept in figures/ as PNG and SVG.
    """
    from tfretrieval.runs import Run
    from tfretrieval.workflows.gallery import run_catalog
    from tfretrieval.workflows.report import report_run

    opened = Run.open(run)
    page, drawings = report_run(opened, run_catalog(opened, data), retrievers, queries, seed)
    figures = {name: str(drawing.path) for name, drawing in drawings.items()}
    return {"report": str(page), "bytes": page.stat().st_size, "figures": figures}, str(page)
