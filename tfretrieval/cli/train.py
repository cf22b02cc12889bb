"""`tfret train`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.output import prints_result
from tfretrieval.quiet import load_tensorflow
from tfretrieval.training.cluster import STRATEGIES, read_cluster
from tfretrieval.training.config import CHOICES, FROM_SCRATCH, RECIPES, TrainConfig, read_config_file

POSITIVE = click.IntRange(min=1)
FIGURES: dict[str, tuple[Any, str]] = {
    "epochs": (click.IntRange(min=0), "Passes over the training images; 0 saves the network untrained."),
    "batch_size": (POSITIVE, "Images, pairs or triplets a step."),
    "classes_per_batch": (click.IntRange(min=2), "P of P x K batches, for losses that mine inside a batch."),
    "images_per_class": (click.IntRange(min=2), "K of P x K batches."),
    "steps_per_epoch": (POSITIVE, "Steps of pairs, triplets or P x K."),
    "image_size": (click.IntRange(min=8), "Side in pixels."),
    "fit": (click.Choice(CHOICES["fit"]), "How an image becomes a square."),
    "augment": (click.Choice(CHOICES["augment"]), "standard: flip, crop, brightness, contrast."),
    "backbone": (str, "convnet (the study's small net) or a name of keras.applications: mobilenet_v2_0.35."),
    "weights": (str, "imagenet (downloaded by Keras), none, or an .h5 FILE without top."),
    "embedding_dim": (POSITIVE, "Values of an embedding."),
    "head": (click.Choice(CHOICES["head"]), "What cross-entropy is computed on."),
    "loss": (
        str,
        "cross-entropy, contrastive, triplet, triplet-all, triplet-hard, triplet-semihard, addons/...",
    ),
    "margin": (click.FloatRange(min=0, min_open=True), "Of the metric losses."),
    "optimizer": (click.Choice(CHOICES["optimizer"]), "How weights move."),
    "learning_rate": (
        click.FloatRange(min=0, min_open=True),
        f"At the start; {FROM_SCRATCH} for a resnet with --weights none.",
    ),
    "momentum": (click.FloatRange(min=0, max=1, max_open=True), "Of SGD."),
    "accumulate": (POSITIVE, "Batches whose gradients are averaged before a step: a large batch in little memory."),
    "ema": (
        click.FloatRange(min=0, max=1, max_open=True),
        "Momentum of the moving average that takes the weights' place after each epoch; 0 none.",
    ),
    "lr_decay": (click.FloatRange(min=0, min_open=True), "Factor on the learning rate ..."),
    "lr_decay_every": (click.IntRange(min=0), "... every so many epochs; 0 never."),
    "validation_fraction": (
        click.FloatRange(min=0, max=1, max_open=True),
        "Part of train that chooses the epoch.",
    ),
    "monitor": (click.Choice(CHOICES["monitor"]), "The figure that chooses it."),
    "patience": (click.IntRange(min=0), "Epochs without a better one before training stops; 0 never."),
    "metric": (click.Choice(CHOICES["metric"]), "Distance between embeddings."),
    "on_error": (
        click.Choice(CHOICES["on_error"]),
        "An image that cannot be decoded: stop, or go on without it.",
    ),
    "cache": (
        click.Choice(CHOICES["cache"]),
        "Decoded images: in memory, on disk for later runs too (in TFRET_CACHE), or decoded each time.",
    ),
    "seed": (click.IntRange(min=0), "Of everything random."),
}
UNSET = {"steps_per_epoch": "each image shown about 8 times", "embedding_dim": "those of the backbone"}
FLAGS = {
    "normalize": "Put embeddings on the unit sphere.",
    "freeze": "Leave the backbone's weights as they are; with --augment none its features are computed once and kept.",
    "squared": "Squared distances in the metric losses.",
    "soft": "log(1 + exp(x)) in place of the margin's max(x, 0).",
    "mixed_precision": "Compute in half precision.",
    "xla": "Compile the step with XLA: for a GPU; on a CPU the study's net was 3 times slower.",
}


def _figures(command: Any) -> Any:
    for name, help_line in reversed(FLAGS.items()):
        option = name.replace("_", "-")
        text = f"{help_line}  {_defaults(name)}"
        command = click.option(f"--{option}/--no-{option}", name, default=None, help=text)(command)
    for name, (kind, help_line) in reversed(FIGURES.items()):
        text = f"{help_line}  {_defaults(name)}"
        command = click.option(f"--{name.replace('_', '-')}", name, type=kind, help=text)(command)
    return command


def _defaults(name: str) -> str:
    """What the recipes say of a figure, in words for its help."""
    by_recipe = {recipe: getattr(TrainConfig.for_recipe(recipe), name) for recipe in RECIPES}
    words = {recipe: UNSET[name] if value is None else _word(value) for recipe, value in by_recipe.items()}
    if len(set(words.values())) == 1:
        return f"[default: {words['siamese']}]"
    if words["siamese"] == words["triplet"]:
        return f"[resnet: {words['resnet']}; others: {words['siamese']}]"
    return f"[{'; '.join(f'{recipe}: {word}' for recipe, word in words.items())}]"


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


@click.command()
@click.argument("recipe", type=click.Choice(list(RECIPES)), required=False)
@click.option("--data", metavar="SOURCE", help="A folder, a CSV, digits or mit-split.")
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    help="Folder of the run.  [default: runs/RECIPE; with --resume the newest]",
)
@click.option("--config", type=click.Path(path_type=Path), help="YAML file of figures; options come on top.")
@click.option("--resume", is_flag=True, help="Go on after an interruption.")
@click.option("--overwrite", is_flag=True, help="Forget the run that is in the folder.")
@click.option(
    "--strategy",
    type=click.Choice(STRATEGIES),
    default="none",
    show_default=True,
    help="mirrored: all GPUs of this machine; multi-worker: the machines that TF_CONFIG names. The same batches.",
)
@_figures
@prints_result
def train(
    recipe: str | None,
    data: str | None,
    run: Path | None,
    config: Path | None,
    resume: bool,
    overwrite: bool,
    strategy: str,
    **figures: Any,
) -> tuple[dict[str, Any], str]:
    """Train an embedding on labelled images.

    RECIPE is resnet (a pre-trained backbone, fine-tuned by classification), siamese (pairs, contrastive loss) or
    triplet (triplet loss). Its figures are the defaults of the options below. With --resume it may be left out.
    """
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other")
    cluster = read_cluster() if strategy == "multi-worker" else None
    load_tensorflow(compute=cluster is None)
    from tfretrieval.cli.rejoin import rejoin
    from tfretrieval.data.catalog import Catalog
    from tfretrieval.runs import Run, new_run_directory
    from tfretrieval.training.fit import train
    from tfretrieval.training.replicas import WorkerLost
    from tfretrieval.workflows.model import run_config

    given = read_config_file(config) if config else {}
    given |= {name: value for name, value in figures.items() if value is not None}
    given |= {"recipe": recipe} if recipe else {}
    target = run or (_newest(recipe) if resume else None)
    if resume and run is not None and "recipe" not in given:
        Run.open(run)
    if resume and target is not None and (target / "run.json").is_file():
        settings = TrainConfig.from_dict({**run_config(Run(target)).to_dict(), **given})
        source = data or Run(target).source()
    elif "recipe" in given:
        settings = TrainConfig.for_recipe(given.pop("recipe"), **given)
        source = data or default_source()
    else:
        raise click.UsageError("Missing argument 'RECIPE': resnet, siamese or triplet.")
    target = target or new_run_directory(settings.recipe)
    catalog = Catalog.from_source(source)
    click.echo(
        f"{settings.recipe} on {source} ({len(catalog)} images, {catalog.n_classes} classes) into {target}",
        err=True,
    )
    began = time.monotonic()
    try:
        train(catalog, settings, Run(target), resume, overwrite, ["tfret", *sys.argv[1:]], strategy)
    except KeyboardInterrupt:
        begun = (target / "run.json").is_file()
        raise KeyboardInterrupt(f"`tfret train --resume --run {target}` goes on" if begun else "") from None
    except WorkerLost as error:
        rejoin(error, target, time.monotonic() - began)
        raise
    if cluster is not None and not cluster.is_chief:
        result = {"worker": cluster.index, "of": len(cluster.addresses), "chief": cluster.addresses[0]}
        return result, f"worker {cluster.index} of {len(cluster.addresses)} is done; the chief has the run"
    return result_of(Run(target))


def default_source() -> str:
    """`mit-split` where it has been prepared, else `digits`."""
    from tfretrieval.data.mit_split import is_prepared

    return "mit-split" if is_prepared() else "digits"


def result_of(run: Any) -> tuple[dict[str, Any], str]:
    """What a finished training prints."""
    from tfretrieval.training.history import best_epoch, read_history
    from tfretrieval.workflows.model import run_config

    history = read_history(run.history_path)
    best = best_epoch(history, run_config(run).monitor)
    result = {
        "run": str(run.directory),
        "model": str(run.model_path),
        "fingerprint": run.model_fingerprint(),
        "epochs": len(history),
        "best_epoch": int(best["epoch"]) if best else None,
        "val_map": best.get("val_map") if best else None,
        "val_precision_at_1": best.get("val_precision_at_1") if best else None,
    }
    chosen = f", epoch {result['best_epoch']} chosen" if best else ", its weights as they came"
    if best and "val_map" in best:
        chosen += f" (held-out mAP {best['val_map']:.3f}, P@1 {best['val_precision_at_1']:.3f})"
    return result, f"{run.model_path}: {len(history)} epochs{chosen}"


def _newest(recipe: str | None) -> Path | None:
    from tfretrieval.runs import RUNS, Run

    found = [path.parent for path in RUNS.glob("*/run.json")]
    fitting = [path for path in found if recipe in (None, Run(path).config().get("recipe"))]
    return max(fitting, key=lambda path: (path / "run.json").stat().st_mtime, default=None)
