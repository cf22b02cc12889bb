"""Choose the engine that embeds images, and convert the model of a run for it."""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.artifacts import load_or_none
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.read_image import read_decodable
from tfretrieval.data.remote import fetched, is_remote
from tfretrieval.embedding.engine import Engine
from tfretrieval.embedding.openvino.engine import OpenVINOEngine, has_bfloat16, is_installed
from tfretrieval.embedding.openvino.model_dir import read_header, update_header
from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.vectors import paired_cosines
from tfretrieval.workflows.model import load_model, run_config

log = logging.getLogger(__name__)

MIN_IMAGES_TO_CONVERT = 512  # Keras embeds fewer images in less time than the conversion takes
PRECISION_SAMPLE = 32
CALIBRATION_SAMPLE = 300
MIN_COSINE = 0.999


@dataclass(frozen=True)
class EngineChoice:
    """An engine and its precision.

    Attributes:
        engine: "keras", "openvino", or "auto": OpenVINO if it is installed, on a machine without a GPU, for 512 images
            or more or a model that is already converted. "ray", "ray:keras" and "ray:openvino" distribute that engine,
            or the one that "auto" selects, with Ray.
        precision: "float32", "bfloat16", "int8", or "auto": bfloat16 if the CPU has it and the vectors agree.
        address: address of a Ray cluster; None starts Ray on this machine.

    Raises:
        UserError: the options contradict each other.
    """

    engine: str = "auto"
    precision: str = "auto"
    address: str | None = None

    def __post_init__(self) -> None:
        if self.address and not self.is_distributed:
            raise UserError("--address needs --engine ray")
        if self.inner == "keras" and self.precision not in ("auto", "float32"):
            raise UserError(f"--precision {self.precision} needs --engine openvino", "Keras computes in float32")

    @property
    def is_distributed(self) -> bool:
        """Whether Ray distributes the engine."""
        return self.engine.partition(":")[0] == "ray"

    @property
    def inner(self) -> str:
        """The engine that computes: "keras", "openvino" or "auto"."""
        return (self.engine.partition(":")[2] or "auto") if self.is_distributed else self.engine

    def matches(self, provenance: Mapping[str, Any]) -> bool:
        """Whether embeddings of this provenance were computed by this choice."""
        wanted = {"engine": self.inner, "precision": self.precision}
        return all(provenance.get(name) == value for name, value in wanted.items() if value != "auto")


AUTO = EngineChoice()


def engine_for(run: Run, catalog: Catalog, choice: EngineChoice = AUTO) -> Engine:
    """The engine for the images of a catalog. A model that has to be converted for it is kept in the run.

    Raises:
        UserError: the engine is not installed, or the model cannot be converted.
    """
    if choice.is_distributed:
        from tfretrieval.embedding.ray.engine import RayEngine

        engine = _local_engine(run, catalog, EngineChoice(choice.inner, choice.precision))
        home = engine.directory if isinstance(engine, OpenVINOEngine) else run.directory
        return RayEngine(engine, home, choice.address)
    if remote := next(filter(is_remote, catalog.paths), None):
        raise UserError(f"{remote} is not a local file", "use --engine ray")
    return _local_engine(run, catalog, choice)


def _local_engine(run: Run, catalog: Catalog, choice: EngineChoice) -> Engine:
    """The engine without Ray."""
    if choice.engine == "openvino" or (choice.engine == "auto" and _prefers_openvino(run, len(catalog), choice)):
        return _openvino(run, catalog, choice.precision)
    embedder = load_model(run)
    from tfretrieval.embedding.keras_engine import KerasEngine

    return KerasEngine(embedder, resize_mode=run_config(run).resize_mode)


def choice_of(provenance: Mapping[str, Any]) -> EngineChoice:
    """The engine and precision that computed some embeddings, for vectors to compare with them.

    Warns and returns the default if that engine is not installed.
    """
    choice = EngineChoice(provenance.get("engine", "auto"), provenance.get("precision", "auto"))
    if choice.engine == "openvino" and not is_installed():
        log.warning("the gallery was embedded by openvino, which is not installed; embedding the queries with keras")
        return AUTO
    return choice


def _prefers_openvino(run: Run, n: int, choice: EngineChoice) -> bool:
    if choice.precision not in ("auto", "float32"):
        return True
    if not is_installed() or _has_gpu():
        return False
    return n >= MIN_IMAGES_TO_CONVERT or _is_current(run, run.engine("openvino"))


def _has_gpu() -> bool:
    """Whether there may be a GPU, found out without importing TensorFlow."""
    return Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None


def _openvino(run: Run, catalog: Catalog, precision: str) -> OpenVINOEngine:
    if not is_installed():
        raise UserError("the engine openvino is not installed", "use pip install 'tfretrieval[openvino]'")
    directory = run.engine("openvino")
    if not _is_current(run, directory):
        log.info("converting the model for OpenVINO")
        embedder = load_model(run)
        from tfretrieval.embedding.openvino.convert import save_openvino_model

        save_openvino_model(embedder, directory, run_config(run).resize_mode, {"model": run.model_fingerprint()})
    if precision == "int8":
        return _int8(run, catalog, directory)
    if precision == "auto":
        precision = _select_precision(catalog, directory)
    return OpenVINOEngine(directory, precision)


def _is_current(run: Run, directory: Path) -> bool:
    header = load_or_none(read_header, directory)
    return header is not None and header["model"] == run.model_fingerprint()


def _select_precision(catalog: Catalog, directory: Path) -> str:
    """bfloat16 if the CPU has it and its vectors of a sample agree with those of float32; else float32."""
    if not has_bfloat16():
        return "float32"
    header = read_header(directory)
    if "bfloat16" not in header:
        with fetched(list(catalog.paths[_evenly_spaced(len(catalog), PRECISION_SAMPLE)])) as (paths, _):
            images = read_decodable(paths, header["image_size"], header["resize_mode"])
        if not len(images):
            return "float32"
        reference, vectors = (OpenVINOEngine(directory, name).embed_pixels(images) for name in ("float32", "bfloat16"))
        lowest = float(paired_cosines(vectors, reference).min())
        update_header(directory, bfloat16={"lowest_cosine": lowest, "n": len(reference)})
        if lowest < MIN_COSINE:
            log.warning("bfloat16 vectors have a cosine similarity of only %.4f to float32; using float32", lowest)
    return "bfloat16" if read_header(directory)["bfloat16"]["lowest_cosine"] >= MIN_COSINE else "float32"


def _int8(run: Run, catalog: Catalog, source: Path) -> OpenVINOEngine:
    """The quantized model; its loss of mAP on a labeled sample is measured once."""
    directory = run.engine("openvino-int8")
    if not _is_current(run, directory):
        from tfretrieval.embedding.openvino.quantize import quantize

        sample = catalog.subset(_evenly_spaced(len(catalog), CALIBRATION_SAMPLE))
        log.info("quantizing the model to int8 on %d images", len(sample))
        with fetched(list(sample.paths)) as (paths, _):
            quantize(source, directory, paths)
            local = replace(sample, paths=np.array(paths, dtype=object))
            measured = _quantization_loss(local, OpenVINOEngine(source), OpenVINOEngine(directory, "int8"))
        update_header(directory, int8=measured)
        if "map" in measured:
            log.info(
                "int8 on %d images: mAP %.4f, with float32 %.4f; lowest cosine %.4f",
                measured["n"], measured["map"], measured["map_float32"], measured["lowest_cosine"],
            )  # fmt: skip
    return OpenVINOEngine(directory, "int8")


def _quantization_loss(sample: Catalog, exact: Engine, quantized: Engine) -> dict[str, float]:
    """The leave-one-out mAP within a sample by both engines, and the lowest cosine similarity of their vectors."""
    from tfretrieval.evaluation.evaluator import evaluate
    from tfretrieval.retrieval.index import Index

    by_engine = [engine.embed(sample, on_error="skip") for engine in (exact, quantized)]
    measured: dict[str, float] = {
        "n": len(by_engine[0]),
        "lowest_cosine": float(paired_cosines(by_engine[1].vectors, by_engine[0].vectors).min()),
    }
    if (by_engine[0].items.counts() >= 2).any():
        for name, embeddings in zip(("map_float32", "map"), by_engine):
            measured[name] = evaluate(Index.build(embeddings), embeddings, ks=[1], n_bootstrap=0).metrics["map"]
    return measured


def _evenly_spaced(n: int, size: int) -> np.ndarray:
    """At most `size` of n rows, evenly spaced, so that every class of a sorted catalog is represented."""
    return np.unique(np.linspace(0, n - 1, min(n, size)).astype(np.int64))
