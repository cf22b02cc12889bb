"""`tfret export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import run_option, seed_option
from tfretrieval.cli.output import prints_result
from tfretrieval.quiet import load_tensorflow


@click.command()
@run_option
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the SavedModel.  [default: in the run]")
@seed_option
@prints_result
def export(run: Path | None, output: Path | None, seed: int) -> tuple[dict[str, Any], str]:
    """Write a run's model as a SavedModel.

    It has two signatures, both to embeddings: serving_default takes images as floats in 0..255, encoded takes the
    bytes of image files. The command loads what it wrote with plain TensorFlow and checks that it answers as the
    model does.
    """
    load_tensorflow()
    from tfretrieval.runs import Run
    from tfretrieval.workflows.export import export_saved_model
    from tfretrieval.workflows.model import load_model, run_config

    opened = Run.open(run)
    target = output or opened.directory / "saved_model"
    result = export_saved_model(load_model(opened), target, run_config(opened).fit, seed)
    return result, f"{target}: checked against the model, largest difference {result['max_difference']:.1e}"
