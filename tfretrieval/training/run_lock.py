"""Whose a run's folder is: it is claimed by the training that writes into it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tfretrieval.atomic import clear_leftovers
from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig

MAY_CHANGE = ("epochs", "patience")  # of a run that is gone on with


def check_claim(run: Run, data: dict[str, Any], config: TrainConfig, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that is not free and holds no run that may be gone on with or forgotten.

    Raises:
        UserError: it is refused.
    """
    if not (run.directory / "run.json").is_file():
        if run.directory.exists() and (not run.directory.is_dir() or not _is_free(run.directory)):
            raise UserError(f"{run.directory} exists, is not empty and is not a run; give another --run")
    elif resume:
        for name, begun_with in run.config().items():
            value = config.to_dict().get(name)
            if name not in MAY_CHANGE and value != begun_with:
                raise UserError(
                    f"{run.directory} was begun with {name} {begun_with}, not {value}; "
                    "give it as it was, or begin anew in another folder or with --overwrite"
                )
        if run.manifest().get("data", {}).get("fingerprint") != data["fingerprint"]:
            raise UserError(f"the data of {run.directory} have changed since it began; train anew with --overwrite")
    elif not overwrite:
        raise UserError(f"{run.directory} holds a run already; give --resume, --overwrite or another --run")


def claim(
    run: Run, data: dict[str, Any], config: TrainConfig, overwrite: bool, argv: list[str] | None, replicas: int
) -> None:
    """Make the folder this run's and write its manifest.

    Raises:
        UserError: it cannot be written.
    """
    if overwrite and (run.directory / "run.json").is_file():
        shutil.rmtree(run.directory)
    clear_leftovers(run.directory)
    run.write_manifest(config.to_dict(), data, argv, replicas)


def _is_free(directory: Path) -> bool:
    """Whether a folder holds nothing but what a run leaves that was killed as it began."""
    return all(path.name == "config.yaml" or path.name.startswith(".tmp") for path in directory.iterdir())
