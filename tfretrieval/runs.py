"""`Run`: the directory of one training run, with everything computed from its model."""

from __future__ import annotations

import os
import platform
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

from tfretrieval import __version__
from tfretrieval.artifacts import ArtifactType, file_fingerprint
from tfretrieval.atomic import write_text
from tfretrieval.errors import UserError

RUN = ArtifactType("run", "run.json", 3, "retrain it with `tfret train --overwrite`")
RUNS = Path("runs")
PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "scikit-learn",
    "faiss-cpu",
    "umap-learn",
    "tensorflow-addons",
    "openvino",
    "pymilvus",
    "ray",
)


class Run:
    """The directory of one training run and of everything computed from its model.

    Layout: `config.yaml`, `run.json`, `model.keras`, `history.csv`, `checkpoints/`, `logs/`,
    `gallery.json`, `engine/<name>/`, `embeddings/<split>/`, `audit/<split>/`, `index/<name>/`, `evaluation/<name>/`,
    `maps/`, `figures/`, `report.html`.

    Attributes:
        directory: the directory; the other attributes are paths in it.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)
        self.config_path = self.directory / "config.yaml"
        self.model_path = self.directory / "model.keras"
        self.history_path = self.directory / "history.csv"
        self.gallery_path = self.directory / "gallery.json"
        self.report_path = self.directory / "report.html"
        self.checkpoints = self.directory / "checkpoints"
        self.logs = self.directory / "logs"
        self.figures = self.directory / "figures"

    @classmethod
    def open(cls, directory: str | os.PathLike[str] | None = None) -> Run:
        """An existing run; by default the newest below `runs/`.

        Raises:
            UserError: there is none.
        """
        if directory is None:
            directory = newest_run()
            if directory is None:
                raise UserError("there is no run below runs/", "train a run with `tfret train`, or give --run DIR")
        run = cls(directory)
        if not run.exists():
            raise UserError(f"{directory} is not a run: it has no run.json", "train a run with `tfret train`")
        return run

    def exists(self) -> bool:
        """Whether training has started in this directory."""
        return RUN.exists(self.directory)

    def engine(self, name: str) -> Path:
        return self.directory / "engine" / name

    def embeddings(self, split: str) -> Path:
        return self.directory / "embeddings" / split

    def audit(self, split: str) -> Path:
        return self.directory / "audit" / split

    def index(self, name: str) -> Path:
        return self.directory / "index" / name

    def evaluation(self, name: str) -> Path:
        return self.directory / "evaluation" / name

    def evaluated(self) -> list[str]:
        """Names of the indexes with an evaluation, in alphabetical order."""
        return sorted(path.parent.name for path in self.directory.glob("evaluation/*/metrics.json"))

    def indexed(self) -> list[str]:
        """Names of the indexes, in alphabetical order."""
        return sorted(path.parent.name for path in self.directory.glob("index/*/index.json"))

    def write_manifest(
        self, config: dict[str, Any], data: dict[str, Any], argv: list[str] | None = None, replicas: int = 1
    ) -> None:
        """Write `config.yaml` and `run.json`.

        Args:
            config: training settings, with their "seed".
            data: source, fingerprint and size of the training data.
            argv: command line to record; that of this process by default.
            replicas: number of replicas that train.

        Raises:
            UserError: the directory cannot be written.
        """
        import yaml

        write_text(self.config_path, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
        manifest = {
            "seed": config["seed"],
            "argv": sys.argv if argv is None else argv,
            "data": data,
            "replicas": replicas,
            "machine": machine(),
            "versions": versions(),
        }
        RUN.write_header(self.directory, manifest)

    def manifest(self) -> dict[str, Any]:
        """Content of `run.json`: seed, argv, data (source, fingerprint, size), replicas, machine, versions, training.

        Raises:
            MissingArtifact: there is no run.
            CorruptArtifact: the file is damaged.
        """
        return RUN.read_header(self.directory)

    def source(self) -> str:
        """Source of the training data, as `Catalog.from_source` reads it.

        Raises:
            UserError: `run.json` is damaged, or the catalog was created in Python and has no source.
        """
        with RUN.reading(self.directory):
            source = self.manifest()["data"]["source"]
        if not source:
            raise UserError(f"{self.directory} was trained on a catalog without a source", "name one with --data")
        return str(source)

    def config(self) -> dict[str, Any]:
        """Content of `config.yaml`.

        Raises:
            UserError: the file is missing or damaged.
        """
        import yaml

        with RUN.reading(self.directory):
            try:
                return dict(yaml.safe_load(self.config_path.read_text(encoding="utf-8")))
            except (yaml.YAMLError, TypeError, ValueError) as error:
                raise ValueError(f"config.yaml: {error}") from None

    def record_training(self, **costs: Any) -> None:
        """Add costs of training to `run.json`, under "training".

        Raises:
            UserError: the file is damaged or cannot be written.
        """
        RUN.write_header(self.directory, {**self.manifest(), "training": costs})

    def model_fingerprint(self) -> str:
        """A short hash of `model.keras`.

        Raises:
            UserError: the run has no model, or an incomplete one.
        """
        if not self.model_path.is_file():
            raise UserError(
                f"{self.directory} has no model yet",
                f"finish training with `tfret train --resume --run {self.directory}`",
            )
        if not zipfile.is_zipfile(self.model_path):
            raise RUN.corrupt(self.directory, "model.keras is not a complete .keras file")
        return file_fingerprint(self.model_path)


def newest_run(recipe: str | None = None) -> Path | None:
    """The run below `runs/` that started last, of any recipe or of one; None if there is none."""
    directories = [path.parent for path in RUNS.glob("*/run.json")]
    matching = [path for path in directories if recipe in (None, Run(path).config().get("recipe"))]
    return max(matching, key=lambda path: (path / "run.json").stat().st_mtime, default=None)


def new_run_directory(name: str) -> Path:
    """A directory below `runs/` that does not exist: `<name>`, `<name>-2`, ..."""
    candidate, number = RUNS / name, 2
    while candidate.exists():
        candidate, number = RUNS / f"{name}-{number}", number + 1
    return candidate


def machine() -> dict[str, Any]:
    """System, processor, and number of CPUs available to this process."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"system": platform.platform(terse=True), "processor": _processor(), "cpus": usable}


def versions() -> dict[str, str]:
    """Versions of Python, this package and the installed packages that affect results."""
    found = {"python": platform.python_version(), "tfretrieval": __version__}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
