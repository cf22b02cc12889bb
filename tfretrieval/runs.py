"""`Run`: a folder of artefacts that belong together, with a manifest that says what made them."""

from __future__ import annotations

import os
import platform
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

from tfretrieval import __version__
from tfretrieval.artifacts import file_fingerprint
from tfretrieval.atomic import read_json, write_json, write_text
from tfretrieval.errors import UserError

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
    """The artefacts of one training, in one folder.

    Layout: `config.yaml`, `run.json`, `costs.json`, `model.keras`, `history.csv`, `checkpoints/`, `logs/`,
    `gallery.json`, `engine/<name>/`, `embeddings/<split>/`, `audit/<split>/`, `index/<retriever>/`,
    `evaluation/<retriever>/`, `maps/`, `figures/`, `report.html`.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(directory)

    @classmethod
    def open(cls, directory: str | os.PathLike[str] | None = None) -> Run:
        """An existing run; without a name, the newest below `runs/`.

        Raises:
            UserError: there is none.
        """
        if directory is None:
            manifests = list(RUNS.glob("*/run.json"))
            if not manifests:
                raise UserError("there is no run below runs/; train first with `tfret train`, or give --run DIR")
            return cls(max(manifests, key=lambda path: path.stat().st_mtime).parent)
        run = cls(directory)
        if not (run.directory / "run.json").is_file():
            raise UserError(f"{directory} is not a run: it has no run.json; train first with `tfret train`")
        return run

    @property
    def model_path(self) -> Path:
        return self.directory / "model.keras"

    @property
    def history_path(self) -> Path:
        return self.directory / "history.csv"

    @property
    def checkpoints(self) -> Path:
        return self.directory / "checkpoints"

    @property
    def gallery_path(self) -> Path:
        return self.directory / "gallery.json"

    @property
    def costs_path(self) -> Path:
        return self.directory / "costs.json"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def figures(self) -> Path:
        return self.directory / "figures"

    @property
    def report_path(self) -> Path:
        return self.directory / "report.html"

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

        Raises:
            UserError: the folder cannot be written.
        """
        import yaml

        write_text(self.directory / "config.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
        manifest = {
            "seed": config["seed"],
            "argv": sys.argv if argv is None else argv,
            "data": data,
            "replicas": replicas,
            "machine": machine(),
            "versions": versions(),
        }
        write_json(self.directory / "run.json", manifest)

    def manifest(self) -> dict[str, Any]:
        """What `run.json` holds: seed, argv, data (source, fingerprint, sizes), replicas, machine, versions."""
        return read_json(self.directory / "run.json", "train again with --overwrite")

    def source(self) -> str:
        """The source of the images that it was trained on, as `Catalog.from_source` reads it.

        Raises:
            UserError: `run.json` does not say, or they were made in a program.
        """
        data = self.manifest().get("data")
        if not isinstance(data, dict) or not isinstance(data.get("source"), str):
            path = self.directory / "run.json"
            raise UserError(f"{path} is damaged: it names no data; train again with --overwrite")
        if not data["source"]:
            raise UserError(f"{self.directory} was trained on images that a program made; name others by --data")
        return data["source"]

    def record_cost(self, what: str, **figures: Any) -> None:
        """Keep in `costs.json` what something took, such as "training" or "embeddings/train", instead of what is there.

        Raises:
            UserError: the file is damaged or cannot be written.
        """
        write_json(self.costs_path, self.costs() | {what: figures})

    def costs(self) -> dict[str, dict[str, Any]]:
        """What `costs.json` holds: of each thing that was made, what that took.

        Raises:
            UserError: the file is damaged.
        """
        if not self.costs_path.exists():
            return {}
        return read_json(self.costs_path, "delete it: it holds measured times alone")

    def config(self) -> dict[str, Any]:
        """What `config.yaml` holds.

        Raises:
            UserError: the file is missing or damaged.
        """
        import yaml

        path = self.directory / "config.yaml"
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{path} is damaged ({reason}); train again with --overwrite") from None
        if not isinstance(values, dict):
            raise UserError(f"{path} is damaged: it holds no settings; train again with --overwrite")
        return values

    def model_fingerprint(self) -> str:
        """A short hash of `model.keras`.

        Raises:
            UserError: the run has no model yet, or half of one.
        """
        if not self.model_path.is_file():
            raise UserError(f"{self.directory} has no model yet; finish training with `tfret train ... --resume`")
        if not zipfile.is_zipfile(self.model_path):
            raise UserError(f"{self.model_path} is damaged: it is no whole .keras file; train again with --overwrite")
        return file_fingerprint(self.model_path)


def new_run_directory(name: str) -> Path:
    """A free folder below `runs/`: `<name>`, `<name>-2`, ..."""
    candidate, number = RUNS / name, 2
    while candidate.exists():
        candidate, number = RUNS / f"{name}-{number}", number + 1
    return candidate


def machine() -> dict[str, Any]:
    """What computes here: system, processor, and the CPUs that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"system": platform.platform(terse=True), "processor": _processor(), "cpus": usable}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """The versions of Python, this package and those that decide results."""
    found = {"python": platform.python_version(), "tfretrieval": __version__}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
