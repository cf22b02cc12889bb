"""Which engine embeds the images of a run, and the converted models that a run keeps for it."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.remote import fetched, is_remote
from tfretrieval.embedding.cosine import cosines
from tfretrieval.embedding.engine import Engine
from tfretrieval.embedding.openvino.engine import OpenVINOEngine, has_bfloat16, is_installed
from tfretrieval.embedding.openvino.model_dir import read_header, update_header
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.workflows.model import load_model, run_config

log = logging.getLogger(__name__)

WORTH_CONVERTING = 512  # images; Keras has embedded fewer before a model is converted
SAMPLE = 32
CALIBRATION = 300
AGREES = 0.999


@dataclass(frozen=True)
class EngineChoice:
    """What is asked for.

    Attributes:
        engine: "keras", "openvino", or "auto": OpenVINO where it is installed, on a machine without a GPU, for 512
            images or more or a model that is converted already. "ray", "ray:keras" and "ray:openvino": Ray
            distributes what that engine, or that of "auto", does.
        precision: "float32", "bfloat16", "int8", or "auto": bfloat16 where the CPU has it and the vectors agree.
        address: of a Ray cluster; None is a Ray on this machine.
    """

    engine: str = "auto"
    precision: str = "auto"
    address: str | None = None

    def __post_init__(self) -> None:
        if self.address and not self.by_ray:
            raise UserError("--address belongs to --engine ray")
        if self.inner == "keras" and self.precision not in ("auto", "float32"):
            raise UserError(f"--precision {self.precision} belongs to --engine openvino; Keras computes in float32")

    @property
    def by_ray(self) -> bool:
        """Whether Ray distributes the work."""
        return self.engine.partition(":")[0] == "ray"

    @property
    def inner(self) -> str:
        """What computes: "keras", "openvino" or "auto"."""
        return (self.engine.partition(":")[2] or "auto") if self.by_ray else self.engine

    def is_met_by(self, made_from: Any) -> bool:
        """Whether vectors that were made from this are what is asked for."""
        asked = {"engine": self.inner, "precision": self.precision}
        return all(made_from.get(name) == value for name, value in asked.items() if value != "auto")


AUTO = EngineChoice()


def engine_for(run: Run, catalog: Catalog, choice: EngineChoice = AUTO) -> Engine:
    """The engine for the images of a catalog; where it needs a converted model, that is made and kept.

    Raises:
        UserError: the engine is not installed, or the model cannot be converted.
    """
    if choice.by_ray:
        from tfretrieval.embedding.ray.engine import RayEngine

        engine = _alone(run, catalog, EngineChoice(choice.inner, choice.precision))
        home = engine.directory if isinstance(engine, OpenVINOEngine) else run.directory
        return RayEngine(engine, home, choice.address)
    if remote := next(filter(is_remote, catalog.paths), None):
        raise UserError(f"{remote} is not a file of this machine; --engine ray reads it")
    return _alone(run, catalog, choice)


def _alone(run: Run, catalog: Catalog, choice: EngineChoice) -> Engine:
    """The engine of one machine."""
    if choice.engine == "openvino" or (choice.engine == "auto" and _openvino_pays(run, len(catalog), choice)):
        return _openvino(run, catalog, choice.precision)
    embedder = load_model(run)
    from tfretrieval.embedding.keras_engine import KerasEngine

    return KerasEngine(embedder, fit=run_config(run).fit)


def engine_of(embeddings: Embeddings) -> EngineChoice:
    """The engine and precision that made embeddings, as a choice for what is to be compared with them.

    Where that engine is not installed here any more, the choice is free, and a warning says so.
    """
    made = EngineChoice(embeddings.made_from.get("engine", "auto"), embeddings.made_from.get("precision", "auto"))
    if made.engine == "openvino" and not is_installed():
        log.warning("the gallery was embedded by openvino, which is not installed here: Keras embeds the queries")
        return AUTO
    return made


def _openvino_pays(run: Run, n: int, choice: EngineChoice) -> bool:
    if choice.precision not in ("auto", "float32"):
        return True
    return is_installed() and not _has_gpu() and (n >= WORTH_CONVERTING or _is_current(run, run.engine("openvino")))


def _has_gpu() -> bool:
    """Whether there may be a GPU that TensorFlow uses, found out without TensorFlow."""
    return Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None


def _openvino(run: Run, catalog: Catalog, precision: str) -> OpenVINOEngine:
    if not is_installed():
        raise UserError("the engine openvino is not installed; use pip install 'tfretrieval[openvino]'")
    directory = run.engine("openvino")
    if not _is_current(run, directory):
        _say_what_is_damaged(directory)
        log.info("converting the model for OpenVINO")
        embedder = load_model(run)
        from tfretrieval.embedding.openvino.convert import save_openvino_model

        save_openvino_model(embedder, directory, run_config(run).fit, {"model": run.model_fingerprint()})
    if precision == "int8":
        return _int8(run, catalog, directory)
    if precision == "auto":
        precision = _agreeing_precision(catalog, directory)
    return OpenVINOEngine(directory, precision)


def _is_current(run: Run, directory: Path) -> bool:
    try:
        return bool(read_header(directory)["model"] == run.model_fingerprint())
    except UserError:
        return False


def _say_what_is_damaged(directory: Path) -> None:
    """Warn that a converted model that is there is rebuilt because it cannot be used."""
    try:
        if directory.exists():
            read_header(directory)
    except UserError as damage:
        log.warning("%s; converted anew", str(damage).partition("; ")[0])


def _agreeing_precision(catalog: Catalog, directory: Path) -> str:
    """bfloat16 where the CPU has it and its vectors of a sample agree with those of float32; else float32."""
    if not has_bfloat16():
        return "float32"
    if "bfloat16" not in read_header(directory):
        with fetched(list(catalog.paths[_spread(len(catalog), SAMPLE)])) as (paths, _):
            reference, vectors = (OpenVINOEngine(directory, name).vectors(paths) for name in ("float32", "bfloat16"))
        if not len(reference):
            return "float32"
        lowest = float(cosines(vectors, reference).min())
        update_header(directory, bfloat16={"lowest_cosine": lowest, "n": len(reference)})
        if lowest < AGREES:
            log.warning("bfloat16 gives vectors with a cosine of only %.4f to float32's: float32 is used", lowest)
    return "bfloat16" if read_header(directory)["bfloat16"]["lowest_cosine"] >= AGREES else "float32"


def _int8(run: Run, catalog: Catalog, source: Path) -> OpenVINOEngine:
    """The quantized model; its loss on a labelled sample is measured when it is made."""
    directory = run.engine("openvino-int8")
    if not _is_current(run, directory):
        _say_what_is_damaged(directory)
        from tfretrieval.embedding.openvino.quantize import quantize

        sample = catalog.subset(_spread(len(catalog), CALIBRATION))
        log.info("quantizing the model to int8 on %d images", len(sample))
        with fetched(list(sample.paths)) as (paths, _):
            quantize(source, directory, paths, {})
            here = replace(sample, paths=np.array(paths, dtype=object))
            update_header(directory, int8=_loss(here, OpenVINOEngine(source), OpenVINOEngine(directory, "int8")))
        measured = read_header(directory)["int8"]
        if "map" in measured:
            log.info(
                "int8 on %d images: mAP %.4f, with float32 %.4f; lowest cosine %.4f",
                measured["n"], measured["map"], measured["map_float32"], measured["lowest_cosine"],
            )  # fmt: skip
    return OpenVINOEngine(directory, "int8")


def _loss(sample: Catalog, exact: Engine, quantized: Engine) -> dict[str, float]:
    """The mAP within a sample, every image asking for the others of its class, by either engine."""
    from tfretrieval.evaluation.evaluator import evaluate
    from tfretrieval.retrieval import make_retriever

    found = [engine.embed(sample, on_error="skip") for engine in (exact, quantized)]
    measured: dict[str, float] = {
        "n": len(found[0]),
        "lowest_cosine": float(cosines(found[1].vectors, found[0].vectors).min()),
    }
    counts = np.bincount(found[0].labels[found[0].labels >= 0], minlength=1)
    if (counts >= 2).any():
        for name, embeddings in zip(("map_float32", "map"), found):
            retriever = make_retriever("faiss", metric="cosine").fit(embeddings.vectors)
            measured[name] = evaluate(retriever, embeddings, embeddings, ks=[1], n_bootstrap=0).metrics["map"]
    return measured


def _spread(n: int, most: int) -> np.ndarray:
    """At most `most` of n rows, evenly spread, which takes from every class of a sorted catalog."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
