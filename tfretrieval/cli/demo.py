"""`tfret demo`."""

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import PATH, seed_option
from tfretrieval.cli.output import prints_result
from tfretrieval.quiet import load_tensorflow


@click.command()
@click.option("--output", type=PATH, metavar="DIR", default=Path("runs/demo"), help="Output directory.")
@seed_option
@prints_result
def demo(output: Path, seed: int) -> tuple[dict[str, Any], str]:
    """Run a small study on handwritten digits.

    Trains the siamese and triplet recipes on scikit-learn's digits at 32 pixels for 4 epochs. Needs no download.
    """
    load_tensorflow()
    from tfretrieval.cli.study import compare_models
    from tfretrieval.training.config import TrainConfig
    from tfretrieval.workflows.study import StudyPlan

    configs = {
        name: TrainConfig.for_recipe(
            name, image_size=32, augment="none", seed=seed, epochs=4, steps_per_epoch=60, lr_decay_every=3
        )
        for name in ("siamese", "triplet")
    }
    return compare_models("digits", StudyPlan(configs), output)
