"""`tfret visualize`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import data_option, retriever_option, run_option, seed_option
from tfretrieval.cli.output import prints_result

KINDS = ("pr", "confusion", "neighbours", "umap", "tsne", "history")


@click.command()
@click.argument("kind", type=click.Choice([*KINDS, "all"]), default="all")
@run_option
@data_option
@retriever_option
@click.option("-k", type=click.IntRange(1, 50), help="Neighbours a query.  [default: 5]")
@click.option("--queries", type=click.IntRange(min=1), default=6, show_default=True, help="Queries drawn at random.")
@seed_option
@prints_result
def visualize(
    kind: str, run: Path | None, data: str | None, retriever: str, k: int | None, queries: int, seed: int
) -> tuple[dict[str, Any], str]:
    """Draw curves, confusion, neighbours and maps of a run.

    Figures go to figures/ in the run as PNG. `all`, the default, draws every kind and writes the run's report.html.
    """
    from tfretrieval.runs import Run
    from tfretrieval.steps.evaluate import evaluate_run
    from tfretrieval.steps.gallery import run_catalog
    from tfretrieval.steps.report import write_run_report
    from tfretrieval.steps.visualize import draw_run

    opened = Run.open(run)
    catalog = run_catalog(opened, data)
    kinds = KINDS if kind == "all" else (kind,)
    files = draw_run(opened, catalog, kinds, retriever, k, queries, seed)
    result: dict[str, Any] = {"figures": {name: str(path) for name, path in files.items()}}
    if kind == "all":
        evaluation = evaluate_run(opened, catalog, retriever, seed=seed).evaluation
        result["report"] = str(write_run_report(opened, {retriever: evaluation}, files))
    return result, "\n".join([*result["figures"].values(), *([result["report"]] if "report" in result else [])])
