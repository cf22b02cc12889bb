"""Every model with every retriever on one data set: one table, one report."""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfretrieval.atomic import replaced_file
from tfretrieval.data.catalog import Catalog
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.runs import Run
from tfretrieval.steps.evaluate import evaluate_run
from tfretrieval.steps.report import SUMMARY, write_run_report, write_study_report
from tfretrieval.steps.visualize import KINDS, draw_run
from tfretrieval.training.config import TrainConfig
from tfretrieval.training.fit import train

log = logging.getLogger(__name__)

RETRIEVERS = ("knn", "faiss")
REDUCED = ("faiss", "milvus")
STEM = "tfretrieval"


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
        catalog: the pictures, with a train and a test split.
        configs: model name -> its figures.
        output: `output/<model>/` is the model's run; `summary.csv` and `report.html` lie beside.
        pca: what FAISS and Milvus search: so many components, or such a part of the variance, or all (None).
        figures: of `steps.visualize.KINDS`.
        argv: the command to be named in the manifests.
        retrievers: kinds, the first of which the maps and neighbours show.
        milvus: fields of `IndexSettings` for that kind; every model has a collection of its own.

    Raises:
        UserError: whatever stands in the way.
    """
    results: dict[str, dict[str, Evaluation]] = {}
    drawn: dict[str, dict[str, Path]] = {}
    seconds: dict[str, float] = {}
    runs = {name: Run(output / name) for name in configs}
    for name, config in configs.items():
        started = time.monotonic()
        log.info("%s: training", name)
        run = runs[name]
        train(catalog, config, run, resume=True, argv=argv)
        settings: dict[str, dict[str, Any]] = {
            kind: {"pca": pca if kind in REDUCED and pca is not None else "none"} for kind in retrievers
        }
        if "milvus" in settings:
            settings["milvus"] |= {**(milvus or {}), "collection": f"{(milvus or {}).get('collection', STEM)}_{name}"}
        results[name] = {
            kind: evaluate_run(
                run, catalog, kind, seed=config.seed, on_error=config.on_error, **settings[kind]
            ).evaluation
            for kind in retrievers
        }
        log.info("%s: figures", name)
        drawn[name] = draw_run(run, catalog, figures, retrievers[0], seed=config.seed)
        for kind in retrievers[1:]:
            drawn[name] |= draw_run(run, catalog, ("pr", "confusion"), kind, seed=config.seed)
        write_run_report(run, results[name], drawn[name])
        seconds[name] = round(time.monotonic() - started, 1)
    summary, report = output / "summary.csv", output / "report.html"
    write_summary(summary, results)
    write_study_report(report, runs, results, drawn, seconds)
    return StudyResult(results, summary, report, seconds)


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
