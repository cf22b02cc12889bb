"""`tfret study`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfretrieval.cli.options import (
    PATH,
    PCA_METAVAR,
    RETRIEVERS,
    milvus_options,
    on_error_option,
    pca_size,
    seed_option,
    source_option,
)
from tfretrieval.cli.output import prints_result, table
from tfretrieval.quiet import load_tensorflow

if TYPE_CHECKING:
    from tfretrieval.workflows.study import StudyPlan

RECIPES = ("resnet", "siamese", "triplet")


class NameList(click.ParamType):
    """Comma-separated names, each one of the choices."""

    name = "NAME,..."

    def __init__(self, choices: Sequence[str]) -> None:
        self.choices = choices

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> list[str]:
        names = value if isinstance(value, list) else [part.strip() for part in value.split(",") if part.strip()]
        if not names or set(names) - set(self.choices):
            self.fail(f"{value!r} is not a comma-separated list of {', '.join(self.choices)}", param, context)
        return names


@click.command()
@source_option
@click.option("--output", type=PATH, metavar="DIR", default=Path("study"), help="Output directory.")
@click.option("--models", type=NameList(RECIPES), default=",".join(RECIPES), help="Recipes to train.")
@click.option("--epochs", type=click.IntRange(min=0), help="Epochs of every model.  [default: the recipe's]")
@click.option("--steps-per-epoch", type=click.IntRange(min=1), help="Steps per epoch of siamese and triplet.")
@click.option("--image-size", type=click.IntRange(min=8), help="Image size of siamese and triplet, in pixels.")
@click.option("--backbone", default="resnet50", help="Backbone of resnet.")
@click.option("--weights", default="imagenet", help="Weights of resnet: imagenet, none or FILE.")
@click.option("--resnet-image-size", type=click.IntRange(min=32), help="Image size of resnet.  [default: 224]")
@click.option(
    "--pca",
    type=pca_size,
    metavar=PCA_METAVAR,
    default="0.95",
    help="PCA: number of components or fraction of variance; none disables PCA.",
)
@click.option("--retrievers", type=NameList(RETRIEVERS), default="knn,faiss", help="Retriever types.")
@milvus_options
@on_error_option
@seed_option
@prints_result
def study(
    data: str | None,
    output: Path,
    models: list[str],
    epochs: int | None,
    steps_per_epoch: int | None,
    image_size: int | None,
    backbone: str,
    weights: str,
    resnet_image_size: int | None,
    pca: Any,
    retrievers: list[str],
    on_error: str,
    seed: int,
    **milvus: Any,
) -> tuple[dict[str, Any], str]:
    """Train several models and compare them.

    Each model is evaluated with every retriever, with and without PCA. The output directory holds one run per model,
    summary.csv and report.html. Rerun the command to resume after an interruption.
    """
    milvus = {name: value for name, value in milvus.items() if value is not None}
    if milvus and "milvus" not in retrievers:
        raise click.UsageError(f"--{next(iter(milvus)).replace('_', '-')} requires milvus in --retrievers")
    load_tensorflow()
    from tfretrieval.cli.train import default_source
    from tfretrieval.training.config import TrainConfig
    from tfretrieval.workflows.study import StudyPlan

    common = {"epochs": epochs, "seed": seed, "on_error": on_error}
    convnet = {"image_size": image_size, "steps_per_epoch": steps_per_epoch}
    resnet = {"image_size": resnet_image_size, "backbone": backbone, "weights": weights}
    configs = {
        name: TrainConfig.for_recipe(name, **common, **(resnet if name == "resnet" else convnet)) for name in models
    }
    plan = StudyPlan(configs, retrievers, None if pca == "none" else pca, milvus)
    return compare_models(data or default_source(), plan, output)


def compare_models(source: str, plan: StudyPlan, output: Path) -> tuple[dict[str, Any], str]:
    """Run a study and format its summary."""
    from tfretrieval.data.catalog import Catalog
    from tfretrieval.report.content import format_cell
    from tfretrieval.report.tables import summary_table
    from tfretrieval.workflows.study import run_study, summary_rows

    catalog = Catalog.from_source(source)
    click.echo(f"study on {source}: {len(catalog)} images, {catalog.n_classes} classes", err=True)
    result = run_study(catalog, plan, output, argv=["tfret", *sys.argv[1:]])
    summary = summary_table(result.results)
    text = table(list(summary.columns), [[format_cell(cell) for cell in row] for row in summary.rows])
    values = {
        "rows": summary_rows(result.results),
        "summary": str(result.summary),
        "report": str(result.report),
        "seconds": result.seconds,
    }
    return values, f"{text}\n\nsummary: {result.summary}\nreport: {result.report}"
