"""`tfret query`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfretrieval.cli.options import (
    PATH,
    data_option,
    gallery_split_option,
    on_error_option,
    retriever_option,
    run_option,
    seed_option,
)
from tfretrieval.cli.output import prints_result, table
from tfretrieval.errors import in_one_line

if TYPE_CHECKING:
    from tfretrieval.retrieval.search_result import SearchResult


@click.command()
@click.argument("images", type=PATH, nargs=-1, required=True)
@run_option
@data_option
@retriever_option
@click.option("-k", type=click.IntRange(min=1), default=5, help="Number of neighbors.")
@gallery_split_option
@click.option("--class", "classes", metavar="NAME", multiple=True, help="Search this class only; repeatable.")
@click.option("--split", "splits", metavar="NAME", multiple=True, help="Return this split only; repeatable.")
@click.option("--figure", type=PATH, metavar="FILE", help="Plot the results as PNG or SVG.")
@on_error_option
@seed_option
@prints_result
def query(
    images: tuple[Path, ...],
    run: Path | None,
    data: str | None,
    retriever: str,
    k: int,
    gallery_split: str | None,
    classes: tuple[str, ...],
    splits: tuple[str, ...],
    figure: Path | None,
    on_error: str,
    seed: int,
) -> tuple[dict[str, Any], str]:
    """Find the most similar images of the gallery.

    Searches the existing index. If the model or the image folder has changed since it was built, the gallery is
    re-embedded and the index rebuilt first.
    """
    if figure and figure.suffix.lower() not in (".png", ".svg"):
        raise click.BadParameter("the file name must end in .png or .svg", param_hint="--figure")
    from tfretrieval.runs import Run
    from tfretrieval.workflows.embed import EmbedOptions
    from tfretrieval.workflows.query import query_run

    where, options = {"classes": classes, "splits": splits}, EmbedOptions(on_error, gallery_split=gallery_split)
    results = query_run(Run.open(run), images, k, retriever, where, options, data)
    decoded = {result.path for result in results}
    output: dict[str, Any] = {
        "retriever": retriever,
        "k": k,
        "results": [result.to_json() for result in results],
        "skipped": [str(image) for image in images if str(image) not in decoded],
    }
    blocks = [_format_result(result) for result in results]
    if figure:
        _save_figure(results, figure)
        output["figure"] = str(figure)
        blocks.append(f"figure: {figure}")
    return output, "\n\n".join(blocks)


def _format_result(result: SearchResult) -> str:
    rows = [[hit.id, hit.label, f"{hit.distance:.4f}", str(hit.rank)] for hit in result.hits]
    nearest = f"{len(rows)} nearest neighbor{'s' if len(rows) > 1 else ''}"
    heading = f"{result.vote} (majority vote of the {nearest})" if result.vote else nearest
    return "\n".join([in_one_line(f"{result.path}: {heading}"), table(["neighbor", "class", "distance", "rank"], rows)])


def _save_figure(results: Sequence[SearchResult], path: Path) -> None:
    from tfretrieval.visualize.neighbors import plot_neighbors
    from tfretrieval.visualize.theme import save_figure
    from tfretrieval.workflows.search_results import image_rows

    save_figure(plot_neighbors(image_rows(results), "Nearest neighbors"), path)
