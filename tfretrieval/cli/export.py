"""`tfret export`."""

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import PATH, run_option, seed_option
from tfretrieval.cli.output import prints_result
from tfretrieval.quiet import load_tensorflow


@click.command()
@run_option
@click.option("--output", type=PATH, metavar="DIR", help="Output directory.  [default: RUN/saved_model]")
@seed_option
@prints_result
def export(run: Path | None, output: Path | None, seed: int) -> tuple[dict[str, Any], str]:
    """Export a run's model as a SavedModel.

    The SavedModel has two signatures that return embeddings: serving_default takes float images in 0..255,
    encoded takes the bytes of image files. After writing, its outputs are compared with those of the model.
    """
    load_tensorflow()
    from tfretrieval.runs import Run
    from tfretrieval.workflows.export import export_saved_model
    from tfretrieval.workflows.model import load_model, run_config

    opened = Run.open(run)
    target = output or opened.directory / "saved_model"
    result = export_saved_model(load_model(opened), target, run_config(opened).resize_mode, seed)
    return result, f"{target}: verified against the model, maximum difference {result['max_difference']:.1e}"
