"""`tfret train`."""

import sys
from pathlib import Path
from typing import Any

import click

from tfretrieval.cli import exit_with_error
from tfretrieval.cli.options import PATH, source_option
from tfretrieval.cli.output import prints_result
from tfretrieval.quiet import load_tensorflow
from tfretrieval.training.cluster import STRATEGIES, read_cluster
from tfretrieval.training.config import OPTIONS, RECIPES, TrainConfig, read_config_file
from tfretrieval.training.option import Option

WORKER_LOST_STATUS = 75  # EX_TEMPFAIL of sysexits.h
MISSING_RECIPE = "Missing argument 'RECIPE': resnet, siamese or triplet."
ALIASES = {"resize_mode": ["--fit"]}
DEFAULT_TEXT = {"steps_per_epoch": "about 8 passes over the images", "embedding_dim": "that of the backbone"}


def _settings(command: Any) -> Any:
    """Add an option for each setting of `TrainConfig`."""
    for name, option in reversed(OPTIONS.items()):
        dashed = name.replace("_", "-")
        flag = f"--{dashed}/--no-{dashed}" if option.kind is bool else f"--{dashed}"
        flags, text = [flag, *ALIASES.get(name, [])], f"{option.help}  {_defaults(name)}"
        if name != "recipe":
            command = click.option(*flags, name, type=_click_type(option), default=None, help=text)(command)
    return command


def _click_type(option: Option) -> Any:
    if option.choices:
        return click.Choice(option.choices)
    if option.kind is int:
        return click.IntRange(min=None if option.low is None else int(option.low))
    if option.kind is float:
        lowest = option.low if option.above is None else option.above
        return click.FloatRange(min=lowest, min_open=option.above is not None, max=option.below, max_open=True)
    return option.kind


def _defaults(name: str) -> str:
    """The default of a setting in each recipe, for its help."""
    values = {recipe: getattr(TrainConfig.for_recipe(recipe), name) for recipe in RECIPES}
    words = {recipe: DEFAULT_TEXT[name] if value is None else _format(value) for recipe, value in values.items()}
    if len(set(words.values())) == 1:
        return f"[default: {words['siamese']}]"
    if words["siamese"] == words["triplet"]:
        return f"[resnet: {words['resnet']}; others: {words['siamese']}]"
    return f"[{'; '.join(f'{recipe}: {word}' for recipe, word in words.items())}]"


def _format(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


@click.command()
@click.argument("recipe", metavar="[RECIPE]", type=click.Choice(list(RECIPES)), required=False)
@source_option
@click.option("--run", type=PATH, help="Run directory.  [default: a new one, runs/RECIPE; with --resume the newest]")
@click.option("--config", type=PATH, help="YAML file of settings; options override it.")
@click.option("--resume", is_flag=True, help="Resume an interrupted run, or start it if there is none.")
@click.option("--overwrite", is_flag=True, help="Replace an existing run.")
@click.option(
    "--strategy",
    type=click.Choice(STRATEGIES),
    default="none",
    help="mirrored: all GPUs of this machine; multi-worker: machines in TF_CONFIG. The global batch stays the same.",
)
@_settings
@prints_result
def train(
    recipe: str | None,
    data: str | None,
    run: Path | None,
    config: Path | None,
    resume: bool,
    overwrite: bool,
    strategy: str,
    **settings: Any,
) -> tuple[dict[str, Any], str]:
    """Train an embedding on labeled images.

    RECIPE is resnet (fine-tune a pretrained backbone by classification), siamese (pairs, contrastive loss) or triplet
    (triplet loss). It sets the defaults of the options below and may be omitted with --resume.

    With --strategy multi-worker, if a worker fails, the others exit with status 75; restart all with --resume.
    """
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other")
    given = read_config_file(config) if config else {}
    given |= {name: value for name, value in settings.items() if value is not None}
    given |= {"recipe": recipe} if recipe else {}
    if "recipe" not in given and not resume:
        raise click.UsageError(MISSING_RECIPE)
    cluster = read_cluster() if strategy == "multi-worker" else None
    load_tensorflow(compute=cluster is None)
    from tfretrieval.data.catalog import Catalog
    from tfretrieval.runs import Run, new_run_directory, newest_run
    from tfretrieval.training.fit import train
    from tfretrieval.training.replicas import WorkerLost
    from tfretrieval.workflows.model import run_config

    target = run or (newest_run(recipe) if resume else None)
    if resume and run is not None and "recipe" not in given:
        Run.open(run)
    if resume and target is not None and Run(target).exists():
        train_config = TrainConfig.from_dict({**run_config(Run(target)).to_dict(), **given})
        source = data or Run(target).source()
    elif "recipe" in given:
        train_config = TrainConfig.for_recipe(given.pop("recipe"), **given)
        source = data or default_source()
    else:
        raise click.UsageError(MISSING_RECIPE)
    target = target or new_run_directory(train_config.recipe)
    catalog = Catalog.from_source(source)
    click.echo(
        f"{train_config.recipe}: {len(catalog)} images of {catalog.n_classes} classes from {source}; run {target}",
        err=True,
    )
    try:
        train(catalog, train_config, Run(target), resume, overwrite, ["tfret", *sys.argv[1:]], strategy)
    except KeyboardInterrupt:
        has_begun = Run(target).exists()
        raise KeyboardInterrupt(f"resume with `tfret train --resume --run {target}`" if has_begun else "") from None
    except WorkerLost as error:
        # without waiting for the threads of TensorFlow, which may still wait for the failed worker
        exit_with_error(str(error), WORKER_LOST_STATUS, immediately=True)
    if cluster is not None and not cluster.is_chief:
        result = {"worker": cluster.index, "of": len(cluster.addresses), "chief": cluster.addresses[0]}
        return result, f"worker {cluster.index} of {len(cluster.addresses)} finished; the chief wrote the run"
    return result_of(Run(target))


def default_source() -> str:
    """`mit-split` if it is prepared, else `digits`."""
    from tfretrieval.data.mit_split import is_prepared

    return "mit-split" if is_prepared() else "digits"


def result_of(run: Any) -> tuple[dict[str, Any], str]:
    """The JSON object and the line that describe a finished training."""
    from tfretrieval.training.history import best_epoch, read_history
    from tfretrieval.workflows.model import run_config

    history = read_history(run.history_path)
    best = best_epoch(history, run_config(run).monitor) or {}
    result = {
        "run": str(run.directory),
        "model": str(run.model_path),
        "fingerprint": run.model_fingerprint(),
        "epochs": len(history),
        "best_epoch": int(best["epoch"]) if best else None,
        "val_map": best.get("val_map"),
        "val_precision_at_1": best.get("val_precision_at_1"),
    }
    selected = f", epoch {result['best_epoch']} selected" if best else ", initial weights"
    if "val_map" in best:
        selected += f" (validation mAP {best['val_map']:.3f}, P@1 {best['val_precision_at_1']:.3f})"
    return result, f"{run.model_path}: {len(history)} epoch{'' if len(history) == 1 else 's'}{selected}"
