"""`tfret query`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import data_option, on_error_option, retriever_option, run_option, seed_option
from tfretrieval.cli.output import prints_result, table
from tfretrieval.errors import in_one_line


@click.command()
@click.argument("images", type=click.Path(path_type=Path), nargs=-1, required=True)
@run_option
@data_option
@retriever_option
@click.option("-k", type=click.IntRange(min=1), default=5, show_default=True, help="Neighbors an image.")
@click.option("--gallery-split", metavar="NAME", help="Split to be searched.  [default: train]")
@click.option("--class", "classes", metavar="NAME", multiple=True, help="Only neighbors of this class; repeatable.")
@click.option("--split", "splits", metavar="NAME", multiple=True, help="Only neighbors of this split; repeatable.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw the answer into a PNG or an SVG file.")
@click.option(
    "--thumbnails",
    type=click.Choice(["auto", "kitty", "iterm2", "sixel", "none"]),
    default="auto",
    show_default=True,
    help="How a terminal shows the images; auto finds out.",
)
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
    thumbnails: str,
    on_error: str,
    seed: int,
) -> tuple[dict[str, Any], Callable[[], str]]:
    """Find the images that are most like an image.

    The index answers as it stands. Where the model has changed, or images have been added or taken away, the gallery
    is embedded and indexed anew first.

    A terminal that can shows the images beside their names: by Kitty's protocol, by iTerm2's, or as Sixel.
    """
    if figure and figure.suffix.lower() not in (".png", ".svg"):
        raise click.BadParameter("a figure is a PNG or an SVG file; give a name that ends so", param_hint="--figure")
    from tfretrieval.runs import Run
    from tfretrieval.workflows.query import query_run

    answers = query_run(Run.open(run), images, k, retriever, data, gallery_split, on_error, classes, splits)
    if figure:
        from tfretrieval.visualize.neighbors import plot_neighbors
        from tfretrieval.visualize.theme import save_figure
        from tfretrieval.workflows.search_results import answers_of_query, panels

        save_figure(plot_neighbors(panels(answers_of_query(answers)), "Most similar images"), figure)
    answered = {answer["image"] for answer in answers}
    skipped = [str(image) for image in images if str(image) not in answered]
    result: dict[str, Any] = {"retriever": retriever, "k": k, "answers": answers, "skipped": skipped}
    if figure:
        result["figure"] = str(figure)

    def text() -> str:
        protocol = _protocol(thumbnails)
        blocks = [_block(answer, protocol) for answer in answers]
        return "\n\n".join([*blocks, *([f"figure: {figure}"] if figure else [])])

    return result, text


def _protocol(thumbnails: str) -> str:
    """How images are shown here: not at all where stdout is no terminal."""
    if thumbnails == "none" or not sys.stdout.isatty():
        return "none"
    from tfretrieval.cli.thumbnails import protocol_of, terminal_says_sixel

    return protocol_of(os.environ, terminal_says_sixel) if thumbnails == "auto" else thumbnails


def _block(answer: dict[str, Any], protocol: str) -> str:
    """What is said of one image, with thumbnails where there is a way to show them."""
    found = answer["neighbors"]
    rows = [[n["id"], n["label"], f"{n['distance']:.4f}", str(n["rank"])] for n in found]
    vote = f"{answer['vote']}, by vote of the {len(rows)} nearest" if answer["vote"] else f"the {len(rows)} nearest"
    lines = [in_one_line(f"{answer['image']}: {vote}")]
    if protocol != "none":
        from tfretrieval.cli.thumbnails import show

        paths = [answer["image"], *(n["path"] for n in found)]
        lines.append(show(paths, protocol, shutil.get_terminal_size().columns))
    return "\n".join([*lines, table(["neighbor", "class", "distance", "rank"], rows)])
