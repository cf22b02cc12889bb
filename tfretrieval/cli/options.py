"""Options shared by several commands, and their parameter types."""

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

# Copies of the library's choices, so that help needs no heavy import; a test compares them.
RETRIEVERS = ("knn", "faiss", "milvus")
ENGINES = ("auto", "keras", "openvino", "ray", "ray:keras", "ray:openvino")
PRECISIONS = ("auto", "float32", "bfloat16", "int8")
METRICS = ("cosine", "euclidean")
ON_ERROR = ("fail", "skip")

PCA_METAVAR = "N|FRACTION|none"

Command = Callable[..., Any]


PATH = click.Path(path_type=Path)


def pca_size(text: str) -> int | float | str:
    """Convert a number of components, a fraction of the variance, or none."""
    if text == "none":
        return text
    with contextlib.suppress(ValueError):
        number = float(text)
        if 0 < number < 1:
            return number
        if number >= 1 and number.is_integer():
            return int(number)
    raise click.BadParameter(f"{text!r} is not a number of components, a fraction between 0 and 1, or none")


def n_bytes(text: str) -> int:
    """Convert a size such as 4GB or 512MB."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT])B?", text.strip().upper())
    if match is None:
        raise click.BadParameter(f"{text!r} is not a size such as 4GB or 512MB")
    return int(float(match[1]) * 1000 ** ("KMGT".index(match[2]) + 1))


def key_values(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> dict[str, Any] | None:
    """Convert texts such as M=16; a value is a number if it can be read as one."""
    pairs = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not (name and value):
            raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE")
        try:
            pairs[name] = json.loads(value)
        except ValueError:
            pairs[name] = value
    return pairs or None


run_option = click.option("--run", type=PATH, help="Run directory.  [default: newest in runs/]")
data_option = click.option(
    "--data", metavar="SOURCE", help="Image folder, CSV file, digits or mit-split.  [default: the run's data]"
)
source_option = click.option(
    "--data",
    metavar="SOURCE",
    help="Image folder, CSV file, digits or mit-split.  [default: mit-split if prepared, else digits]",
)
seed_option = click.option("--seed", type=click.IntRange(min=0), default=0, help="Random seed.")
on_error_option = click.option(
    "--on-error", type=click.Choice(ON_ERROR), default="fail", help="Mode for unreadable images: fail or skip."
)
gallery_split_option = click.option(
    "--gallery-split", metavar="NAME", help="Split used as the gallery.  [default: train, if there is one]"
)
retriever_option = click.option("--retriever", type=click.Choice(RETRIEVERS), default="faiss", help="Retriever type.")
retrievers_option = click.option(
    "--retriever",
    "retrievers",
    type=click.Choice(RETRIEVERS),
    multiple=True,
    help="Retriever type; repeatable.  [default: those of the run, or faiss]",
)


def engine_options(command: Command) -> Command:
    """Add the options of the embedding engine."""
    return _add_options(
        command,
        click.option("--engine", type=click.Choice(ENGINES), default="auto", help="Engine."),
        click.option(
            "--precision", type=click.Choice(PRECISIONS), default="auto", help="Inference precision of OpenVINO."
        ),
        click.option("--address", help="Ray: cluster address, such as host:6379.  [default: a local cluster]"),
    )


def milvus_options(command: Command) -> Command:
    """Add the options of the milvus retriever; omitted options keep the settings of an existing index."""
    from tfretrieval.retrieval.milvus.parameters import INDEX_TYPES  # which a query does not need

    return _add_options(
        command,
        click.option(
            "--uri", metavar="PATH|URL", help="Milvus: FILE.db or http://host:19530.  [default: a file in the run]"
        ),
        click.option("--token-env", metavar="NAME", help="Milvus: environment variable that holds the token."),
        click.option("--collection", metavar="NAME", help="Milvus: collection.  [default: tfretrieval]"),
        click.option(
            "--index-type",
            type=click.Choice(INDEX_TYPES, case_sensitive=False),
            metavar="TYPE",
            help=f"Milvus: {', '.join(INDEX_TYPES)}.  [default: FLAT]",
        ),
        _parameter_option("index", "M=16"),
        _parameter_option("search", "ef=128"),
    )


def index_options(command: Command) -> Command:
    """Add the options of an index; omitted options keep the settings of an existing index."""
    return _add_options(
        command,
        click.option("--metric", type=click.Choice(METRICS), help="Distance metric.  [default: the model's]"),
        click.option(
            "--pca",
            type=pca_size,
            metavar=PCA_METAVAR,
            help="PCA: number of components or fraction of variance; none disables PCA.  [default: none]",
        ),
        click.option("--standardize/--no-standardize", default=None, help="Scale each dimension: mean 0, variance 1."),
        click.option("--whiten/--no-whiten", default=None, help="Scale principal components to unit variance."),
        click.option(
            "--factory",
            metavar="STRING",
            is_eager=True,
            help="FAISS: index factory string, such as IVF64,Flat.  [default: Flat]",
        ),
        click.option(
            "--nprobe",
            type=click.IntRange(min=1),
            is_eager=True,
            help="FAISS: IVF lists to probe.  [default: 1/16 of them]",
        ),
        click.option(
            "--target-recall",
            type=click.FloatRange(0, 1, min_open=True),
            callback=_check_target_recall,
            metavar="RECALL",
            help="FAISS: choose the fastest index that reaches this recall@10.",
        ),
        gallery_split_option,
        milvus_options,
    )


def _parameter_option(kind: str, example: str) -> Callable[[Command], Command]:
    return click.option(
        f"--{kind}-param",
        f"{kind}_params",
        metavar="NAME=VALUE",
        multiple=True,
        callback=key_values,
        help=f"Milvus: {kind} parameter, such as {example}; repeatable.",
    )


def _add_options(command: Command, *options: Callable[[Command], Command]) -> Command:
    """Decorate `command` with options, listed in the help in this order."""
    for option in reversed(options):
        command = option(command)
    return command


def _check_target_recall(context: click.Context, option: click.Parameter, target: float | None) -> float | None:
    if target is not None and (context.params.get("factory") or context.params.get("nprobe")):
        raise click.UsageError("--target-recall cannot be combined with --factory or --nprobe, which it chooses")
    return target
