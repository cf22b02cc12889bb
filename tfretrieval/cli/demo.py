"""`tfret demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import seed_option
from tfretrieval.cli.output import prints_result
from tfretrieval.quiet import load_tensorflow


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=Path("runs/demo"), show_default=True, help="Folder.")
@seed_option
@prints_result
def demo(output: Path, seed: int) -> tuple[dict[str, Any], str]:
    """Run a small study on handwritten digits.

    The siamese and the triplet net learn scikit-learn's digits at 32 pixels for a few epochs. Nothing is downloaded.
    """
    load_tensorflow()
    from tfretrieval.cli.study import study_result
    from tfretrieval.training.config import TrainConfig

    small: dict[str, Any] = {
        "image_size": 32,
        "augment": "none",
        "seed": seed,
        "epochs": 4,
        "steps_per_epoch": 60,
    }
    configs = {name: TrainConfig.for_recipe(name, lr_decay_every=3, **small) for name in ("siamese", "triplet")}
    return study_result("digits", configs, output, 0.95)
