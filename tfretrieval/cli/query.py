"""`tfret query`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import data_option, on_error_option, retriever_option, run_option, seed_option
from tfretrieval.cli.output import prints_result, table


@click.command()
@click.argument("images", type=click.Path(path_type=Path), nargs=-1, required=True)
@run_option
@data_option
@retriever_option
@click.option("-k", type=click.IntRange(min=1), default=5, show_default=True, help="Neighbours a picture.")
@click.option("--gallery-split", metavar="NAME", help="Split to be searched.  [default: train]")
@click.option("--class", "classes", metavar="NAME", multiple=True, help="Only neighbours of this class; repeatable.")
@click.option("--split", "splits", metavar="NAME", multiple=True, help="Only neighbours of this split; repeatable.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw the answer into a PNG or an SVG file.")
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
    """Find the pictures that are most like a picture.

    The index answers as it stands. Where the model has changed, or pictures have been added or taken away, the gallery
    is embedded and indexed anew first.
    """
    if figure and figure.suffix.lower() not in (".png", ".svg"):
        raise click.BadParameter("a figure is a PNG or an SVG file; give a name that ends so", param_hint="--figure")
    from tfretrieval.runs import Run
    from tfretrieval.steps.query import query_run

    answers = query_run(Run.open(run), images, k, retriever, data, gallery_split, on_error, classes, splits)
    if figure:
        from tfretrieval.steps.answers import answers_of_query, panels
        from tfretrieval.visualize.neighbours import plot_neighbours
        from tfretrieval.visualize.theme import save_figure

        save_figure(plot_neighbours(panels(answers_of_query(answers)), "Most similar pictures"), figure)
    blocks = []
    for answer in answers:
        rows = [[n["id"], n["label"], f"{n['distance']:.4f}", str(n["rank"])] for n in answer["neighbours"]]
        blocks.append(
            f"{answer['image']}: {answer['vote']}, by vote of the {len(rows)} nearest\n"
            + table(["neighbour", "class", "distance", "rank"], rows)
        )
    result: dict[str, Any] = {"retriever": retriever, "k": k, "answers": answers}
    if figure:
        result["figure"] = str(figure)
        blocks.append(f"figure: {figure}")
    return result, "\n\n".join(blocks)
