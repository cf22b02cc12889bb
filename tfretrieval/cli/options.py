"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from tfretrieval.training.config import CHOICES

RETRIEVERS = ("knn", "faiss", "milvus")
MILVUS_INDEXES = ("FLAT", "HNSW", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "SCANN", "DISKANN", "AUTOINDEX")
ENGINES = ("auto", "keras", "openvino", "ray", "ray:keras", "ray:openvino")
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


class Bytes(click.ParamType):
    """A size such as 4GB or 512MB."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT])B?", str(value).strip().upper())
        if match is None:
            self.fail(f"{value!r} is not a size such as 4GB or 512MB", param, context)
        return int(float(match[1]) * 1000 ** ("KMGT".index(match[2]) + 1))


class Parameter(click.ParamType):
    """NAME=VALUE, such as M=16; a number where it looks like one."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not (name and equals and text):
            self.fail(f"{value!r} is not of the form M=16", param, context)
        for number in (int, float):
            try:
                return name, number(text)
            except ValueError:
                continue
        return name, text


def _as_mapping(
    context: click.Context, option: click.Parameter, pairs: tuple[tuple[str, Any], ...]
) -> dict[str, Any] | None:
    return dict(pairs) or None


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
    type=click.Choice(CHOICES["on_error"]),
    default="fail",
    show_default=True,
    help="An image that cannot be decoded: stop, or go on without it and list it.",
)
retriever_option = click.option(
    "--retriever", type=click.Choice(RETRIEVERS), default="knn", show_default=True, help="Kind of index."
)


def engine_options(command: Any) -> Any:
    """Add the options that say what computes the vectors."""
    for option in (
        click.option("--address", help="Ray: of a cluster, such as host:6379.  [default: a Ray on this machine]"),
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


def milvus_options(command: Any) -> Any:
    """Add the options of --retriever milvus; each left out keeps what the index that is there has."""
    for option in (
        click.option(
            "--search-param",
            "search_params",
            type=Parameter(),
            multiple=True,
            callback=_as_mapping,
            help="Milvus: of searches, such as ef=128; repeatable.",
        ),
        click.option(
            "--index-param",
            "index_params",
            type=Parameter(),
            multiple=True,
            callback=_as_mapping,
            help="Milvus: of the index, such as M=16; repeatable.",
        ),
        click.option(
            "--index-type", type=click.Choice(MILVUS_INDEXES, case_sensitive=False), help="Milvus.  [default: FLAT]"
        ),
        click.option("--collection", metavar="NAME", help="Milvus.  [default: tfretrieval]"),
        click.option("--token-env", metavar="NAME", help="Milvus: environment variable that holds the token."),
        click.option(
            "--uri",
            metavar="PATH|URL",
            help="Milvus: a path that ends in .db, or http://host:19530.  [default: a database in the run]",
        ),
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
        milvus_options,
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
        click.option("--metric", type=click.Choice(CHOICES["metric"]), help="Distance.  [default: the run's]"),
    ):
        command = option(command)
    return command
