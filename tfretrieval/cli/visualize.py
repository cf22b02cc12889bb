"""`tfret visualize`."""

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import data_option, retriever_option, run_option, seed_option
from tfretrieval.cli.output import prints_result

KINDS = ("history", "pr", "confusion", "neighbors", "hardest", "umap", "tsne")


@click.command()
@click.argument("kind", metavar="[KIND]", type=click.Choice([*KINDS, "all"]), default="all")
@run_option
@data_option
@retriever_option
@click.option("-k", type=click.IntRange(1, 50), help="Neighbors per query.  [default: 5]")
@click.option("--queries", type=click.IntRange(min=1), default=6, help="Queries per figure.")
@seed_option
@prints_result
def visualize(
    kind: str, run: Path | None, data: str | None, retriever: str, k: int | None, queries: int, seed: int
) -> tuple[dict[str, Any], str]:
    """Plot curves, confusion matrix, neighbors and maps of a run.

    KIND is history, pr, confusion, neighbors, hardest, umap, tsne or all, the default. Figures are written to figures/
    in the run as PNG and SVG; `tfret report` puts them on one page.
    """
    from tfretrieval.runs import Run
    from tfretrieval.workflows.gallery import run_catalog
    from tfretrieval.workflows.visualize import draw_run

    opened = Run.open(run)
    kinds = KINDS if kind == "all" else (kind,)
    drawings = draw_run(opened, run_catalog(opened, data), kinds, retriever, k, queries, seed)
    figures = {name: str(drawing.path) for name, drawing in drawings.items()}
    return {"figures": figures}, "\n".join(figures.values())
