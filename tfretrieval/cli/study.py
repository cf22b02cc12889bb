"""`tfret study`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import RETRIEVERS, PCASize, milvus_options, on_error_option, seed_option
from tfretrieval.cli.output import prints_result, table
from tfretrieval.quiet import load_tensorflow

RECIPES = ("resnet", "siamese", "triplet")


@click.command()
@click.option("--data", metavar="SOURCE", help="A folder, a CSV, digits or mit-split.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("study"), show_default=True, help="Folder.")
@click.option("--models", default=",".join(RECIPES), show_default=True, help="Recipes, with commas between.")
@click.option("--epochs", type=click.IntRange(min=0), help="Of every model.  [default: the recipe's]")
@click.option("--steps-per-epoch", type=click.IntRange(min=1), help="Of the siamese and the triplet net.")
@click.option("--image-size", type=click.IntRange(min=8), help="Of the siamese and the triplet net.")
@click.option("--backbone", default="resnet50", show_default=True, help="Of the resnet recipe.")
@click.option(
    "--weights",
    default="imagenet",
    show_default=True,
    help="Of that backbone: imagenet, none, or an .h5 FILE.",
)
@click.option("--resnet-image-size", type=click.IntRange(min=32), help="Of the resnet recipe.  [default: 224]")
@click.option("--pca", type=PCASize(), default="0.95", show_default=True, help="What FAISS and Milvus search.")
@click.option("--retrievers", default="knn,faiss", show_default=True, help="Kinds of index, with commas between.")
@milvus_options
@on_error_option
@seed_option
@prints_result
def study(
    data: str | None,
    output: Path,
    models: str,
    epochs: int | None,
    steps_per_epoch: int | None,
    image_size: int | None,
    backbone: str,
    weights: str,
    resnet_image_size: int | None,
    pca: Any,
    retrievers: str,
    on_error: str,
    seed: int,
    **milvus: Any,
) -> tuple[dict[str, Any], str]:
    """Train every model, run every retriever, compare them.

    Each model is retrieved with KNN on its whole embedding, and with FAISS, and Milvus where asked for, after PCA. The
    folder gets a run a model, summary.csv and report.html. Called again after an interruption, it goes on where it
    stopped.
    """
    names = [name.strip() for name in models.split(",") if name.strip()]
    if not names or set(names) - set(RECIPES):
        raise click.BadParameter(f"choose from {', '.join(RECIPES)}", param_hint="--models")
    kinds = [name.strip() for name in retrievers.split(",") if name.strip()]
    if not kinds or set(kinds) - set(RETRIEVERS):
        raise click.BadParameter(f"choose from {', '.join(RETRIEVERS)}", param_hint="--retrievers")
    given = {name: value for name, value in milvus.items() if value is not None}
    if given and "milvus" not in kinds:
        raise click.UsageError(f"--{next(iter(given)).replace('_', '-')} needs milvus among --retrievers")
    load_tensorflow()
    from tfretrieval.cli.train import default_source
    from tfretrieval.training.config import TrainConfig

    source = data or default_source()
    small = {"image_size": image_size, "steps_per_epoch": steps_per_epoch}
    large = {"image_size": resnet_image_size, "backbone": backbone, "weights": weights}
    configs = {
        name: TrainConfig.for_recipe(
            name, epochs=epochs, seed=seed, on_error=on_error, **(large if name == "resnet" else small)
        )
        for name in names
    }
    return study_result(source, configs, output, None if pca == "none" else pca, kinds, given)


def study_result(
    source: str,
    configs: dict[str, Any],
    output: Path,
    pca: Any,
    retrievers: Sequence[str] = ("knn", "faiss"),
    milvus: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], str]:
    """Run a study and say what came of it."""
    from tfretrieval.data.catalog import Catalog
    from tfretrieval.workflows.report_tables import SHORT
    from tfretrieval.workflows.study import run_study, summary_rows

    catalog = Catalog.from_source(source)
    click.echo(f"study on {source}: {len(catalog)} images, {catalog.n_classes} classes", err=True)
    done = run_study(catalog, configs, output, pca, argv=["tfret", *sys.argv[1:]], retrievers=retrievers, milvus=milvus)
    rows = summary_rows(done.results)
    cells = [
        [
            row["model"],
            row["retriever"],
            str(row["dim"]),
            *(f"{row[name]:.3f}" if name in row else "-" for name in SHORT),
        ]
        for row in rows
    ]
    text = (
        table(["model", "retriever", "values", *SHORT.values()], cells)
        + f"\n\nsummary: {done.summary}\nreport: {done.report}"
    )
    result = {"rows": rows, "summary": str(done.summary), "report": str(done.report), "seconds": done.seconds}
    return result, text
