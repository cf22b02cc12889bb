"""Every model with every retriever on one data set: one table, one report."""

from __future__ import annotations

import contextlib
import csv
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfretrieval.atomic import replaced_file
from tfretrieval.data.catalog import Catalog
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.progress import progress
from tfretrieval.report.content import Drawing
from tfretrieval.report.tables import SUMMARY
from tfretrieval.runs import Run
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.fit import train
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.report import draw_all, write_run_report, write_study_report
from tfretrieval.workflows.visualize import KINDS

log = logging.getLogger(__name__)

RETRIEVERS = ("knn", "faiss")
REDUCED = ("faiss", "milvus")
STEM = "tfretrieval"
STAGES = ("training", "evaluation", "figures")


@dataclass(frozen=True)
class StudyResult:
    """What a study leaves: {model: {retriever: evaluation}} and its files."""

    results: dict[str, dict[str, Evaluation]]
    summary: Path
    report: Path
    seconds: dict[str, float]


def run_study(
    catalog: Catalog,
    configs: Mapping[str, TrainConfig],
    output: Path,
    pca: float | int | None = 0.95,
    figures: tuple[str, ...] = KINDS,
    argv: list[str] | None = None,
    retrievers: Sequence[str] = RETRIEVERS,
    milvus: Mapping[str, Any] | None = None,
) -> StudyResult:
    """Train every model, evaluate it with KNN, and with FAISS and Milvus after PCA, and compare.

    A study that was interrupted goes on where it stopped: finished trainings are not repeated.

    Args:
        catalog: the images, with a train and a test split.
        configs: model name -> its figures.
        output: `output/<model>/` is the model's run; `summary.csv` and `report.html` lie beside.
        pca: what FAISS and Milvus search: so many components, or such a part of the variance, or all (None).
        figures: of `steps.visualize.KINDS`.
        argv: the command to be named in the manifests.
        retrievers: kinds, the first of which the maps and neighbors show.
        milvus: fields of `IndexSettings` for that kind; every model has a collection of its own.

    Raises:
        UserError: whatever stands in the way.
    """
    results: dict[str, dict[str, Evaluation]] = {}
    drawn: dict[str, dict[str, Drawing]] = {}
    seconds: dict[str, float] = {}
    runs = {name: Run(output / name) for name in configs}
    with progress(None, "study", total=len(configs) * len(STAGES), unit="stage") as bar:
        for name, config in configs.items():
            started = time.monotonic()
            with _stage(bar, name, "training"):
                train(catalog, config, runs[name], resume=True, argv=argv)
            with _stage(bar, name, "evaluation"):
                results[name] = {
                    kind: evaluate_run(
                        runs[name], catalog, kind, seed=config.seed, on_error=config.on_error, **settings
                    ).evaluation
                    for kind, settings in _index_settings(name, retrievers, pca, milvus).items()
                }
            with _stage(bar, name, "figures"):
                drawn[name] = draw_all(runs[name], catalog, retrievers, figures, seed=config.seed)
                write_run_report(runs[name], catalog, results[name], drawn[name])
            seconds[name] = round(time.monotonic() - started, 1)
    summary, report = output / "summary.csv", output / "report.html"
    write_summary(summary, results)
    write_study_report(report, catalog, runs, results, drawn, seconds)
    return StudyResult(results, summary, report, seconds)


@contextlib.contextmanager
def _stage(bar: Any, model: str, stage: str) -> Iterator[None]:
    """Say what is done in the block, and that it is done."""
    bar.set_description(f"study, {model}: {stage}")
    log.info("%s: %s", model, stage)
    yield
    bar.update(1)


def _index_settings(
    model: str, retrievers: Sequence[str], pca: float | int | None, milvus: Mapping[str, Any] | None
) -> dict[str, dict[str, Any]]:
    """Fields of `IndexSettings` by kind."""
    settings: dict[str, dict[str, Any]] = {
        kind: {"pca": pca if kind in REDUCED and pca is not None else "none"} for kind in retrievers
    }
    if "milvus" in settings:
        settings["milvus"] |= {**(milvus or {}), "collection": f"{(milvus or {}).get('collection', STEM)}_{model}"}
    return settings


def summary_rows(results: Mapping[str, Mapping[str, Evaluation]]) -> list[dict[str, Any]]:
    """The study's table: model, retriever, P@1, P@3, P@5, P@10 and mAP, each with its 95 % interval."""
    rows = []
    for model, by_retriever in results.items():
        for kind, evaluation in by_retriever.items():
            row: dict[str, Any] = {"model": model, "retriever": kind, "dim": evaluation.dim}
            for name in SUMMARY:
                if name in evaluation.metrics:
                    row[name] = evaluation.metrics[name]
                    row[f"{name}_low"], row[f"{name}_high"] = evaluation.intervals[name]
            rows.append(row)
    return rows


def write_summary(path: Path, results: Mapping[str, Mapping[str, Evaluation]]) -> None:
    """Write `summary_rows` as CSV."""
    rows = summary_rows(results)
    with replaced_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
