"""`tfret report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import RETRIEVERS, data_option, run_option, seed_option
from tfretrieval.cli.output import prints_result


@click.command()
@run_option
@data_option
@click.option(
    "--retriever",
    "retrievers",
    type=click.Choice(RETRIEVERS),
    multiple=True,
    help="Kind of index; repeatable.  [default: those evaluated, or knn]",
)
@click.option("--queries", type=click.IntRange(min=1), default=6, show_default=True, help="Queries shown a figure.")
@seed_option
@prints_result
def report(
    run: Path | None, data: str | None, retrievers: tuple[str, ...], queries: int, seed: int
) -> tuple[dict[str, Any], str]:
    """Put what a run is and reached on one page, report.html.

    What was done, what came of it, what it cost: one file that needs nothing beside itself, for the screen and for
    paper. What has not been evaluated yet is; every figure is drawn anew and kept in figures/ as PNG and as SVG.
    """
    from tfretrieval.runs import Run
    from tfretrieval.workflows.gallery import run_catalog
    from tfretrieval.workflows.report import report_run

    opened = Run.open(run)
    page, drawn = report_run(opened, run_catalog(opened, data), retrievers, queries, seed)
    figures = {name: str(drawing.path) for name, drawing in drawn.items()}
    return {"report": str(page), "bytes": page.stat().st_size, "figures": figures}, str(page)
