"""Check and prepare a run directory before training."""

import shutil
from pathlib import Path
from typing import Any

from tfretrieval.atomic import clear_leftovers
from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig

MAY_CHANGE_ON_RESUME = ("epochs", "patience")


def check_run_directory(run: Run, data: dict[str, Any], config: TrainConfig, resume: bool, overwrite: bool) -> None:
    """Check that training may write into a run directory.

    Args:
        run: run to check.
        data: description of the training data, with its "fingerprint".
        config: training settings.
        resume: whether an existing run is resumed.
        overwrite: whether an existing run is replaced.

    Raises:
        UserError: the directory holds other files, holds a run although neither `resume` nor `overwrite` is given, or
            the run to resume has other settings or data.
    """
    if not run.exists():
        if run.directory.exists() and not _is_available(run.directory):
            raise UserError(f"{run.directory} exists and is not a run; use another --run")
    elif resume:
        settings = config.to_dict()
        for name, value in run.config().items():
            if name not in MAY_CHANGE_ON_RESUME and settings.get(name) != value:
                raise UserError(
                    f"{run.directory} was trained with {name} {value}, not {settings.get(name)}; "
                    "resume with the same settings, or use another --run or --overwrite"
                )
        if run.manifest().get("data", {}).get("fingerprint") != data["fingerprint"]:
            raise UserError(f"the data of {run.directory} has changed since training began; retrain with --overwrite")
    elif not overwrite:
        raise UserError(f"{run.directory} already holds a run; use --resume, --overwrite or another --run")


def prepare_run_directory(
    run: Run, data: dict[str, Any], config: TrainConfig, overwrite: bool, argv: list[str] | None, replicas: int
) -> None:
    """Write the manifest of a run, after deleting the previous run if `overwrite`.

    Args:
        run: run to prepare.
        data: description of the training data.
        config: training settings.
        overwrite: whether an existing run is replaced.
        argv: command line to record.
        replicas: number of replicas to record.

    Raises:
        UserError: the directory cannot be written.
    """
    if overwrite and run.exists():
        shutil.rmtree(run.directory)
    clear_leftovers(run.directory)
    run.write_manifest(config.to_dict(), data, argv, replicas)


def _is_available(directory: Path) -> bool:
    """Whether a directory is empty, or holds only leftovers of training that was killed at its start."""
    if not directory.is_dir():
        return False
    return all(path.name == "config.yaml" or path.name.startswith(".tmp") for path in directory.iterdir())
