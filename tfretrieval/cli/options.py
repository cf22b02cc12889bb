"""Options that several commands share, and the types of their values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

RETRIEVERS = ("knn", "faiss")
METRICS = ("cosine", "euclidean")
ENGINES = ("auto", "keras", "openvino")
PRECISIONS = ("auto", "float32", "bfloat16", "int8")


class PCASize(click.ParamType):
    """A number of components, a fraction of the variance, or none."""

    name = "N|FRACTION|none"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        if value is None or isinstance(value, (int, float)) or value == "none":
            return value
        try:
            number = float(value)
        except ValueError:
            self.fail(
                f"{value!r} is not a number of components, a fraction of the variance, or none",
                param,
                context,
            )
        if 0 < number < 1:
            return number
        if number >= 1 and number.is_integer():
            return int(number)
        self.fail(f"{value} must be a whole number from 1 on, or a fraction between 0 and 1", param, context)


run_option = click.option(
    "--run", type=click.Path(path_type=Path), help="Folder of the run.  [default: the newest below runs/]"
)
data_option = click.option(
    "--data", metavar="SOURCE", help="A folder, a CSV, digits or mit-split.  [default: the run's own data]"
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of everything random."
)
on_error_option = click.option(
    "--on-error",
    type=click.Choice(["fail", "skip"]),
    default="fail",
    show_default=True,
    help="A picture that cannot be decoded: stop, or go on without it and list it.",
)
retriever_option = click.option(
    "--retriever", type=click.Choice(RETRIEVERS), default="knn", show_default=True, help="Kind of index."
)


def engine_options(command: Any) -> Any:
    """Add the options that say what computes the vectors."""
    for option in (
        click.option(
            "--precision",
            type=click.Choice(PRECISIONS),
            default="auto",
            show_default=True,
            help="What openvino computes in.",
        ),
        click.option("--engine", type=click.Choice(ENGINES), default="auto", show_default=True, help="What computes."),
    ):
        command = option(command)
    return command


def _instead_of_factory(context: click.Context, option: click.Parameter, target: float | None) -> float | None:
    if target is not None and (context.params.get("factory") or context.params.get("nprobe")):
        raise click.UsageError("--target-recall chooses what --factory and --nprobe set: give the one or the others")
    return target


def index_options(command: Any) -> Any:
    """Add the options that say how an index is built; each left out keeps the figure of the index that is there."""
    for option in (
        click.option("--gallery-split", metavar="NAME", help="Split to be searched.  [default: train]"),
        click.option(
            "--target-recall",
            type=click.FloatRange(0, 1, min_open=True),
            callback=_instead_of_factory,
            metavar="SHARE",
            help="Choose the fastest FAISS index with this recall@10, and its parameters.",
        ),
        click.option("--nprobe", type=click.IntRange(min=1), is_eager=True, help="Lists of an IVF index to look into."),
        click.option(
            "--factory",
            metavar="STRING",
            is_eager=True,
            help="FAISS factory string, such as IVF64,Flat.  [default: Flat]",
        ),
        click.option("--whiten/--no-whiten", default=None, help="Give all principal components the same variance."),
        click.option("--standardize/--no-standardize", default=None, help="Scale each value to variance 1."),
        click.option("--pca", type=PCASize(), help="Components to keep, or the fraction of variance.  [default: none]"),
        click.option("--metric", type=click.Choice(METRICS), help="Distance.  [default: the run's]"),
    ):
        command = option(command)
    return command
