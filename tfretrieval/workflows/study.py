"""Train several models, evaluate each with several indexes, and compare them."""

import csv
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from tfretrieval.workflows.embed import EmbedOptions
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.index import IndexRequest
from tfretrieval.workflows.report import draw_all, write_run_report, write_study_report
from tfretrieval.workflows.visualize import KINDS

log = logging.getLogger(__name__)

COLLECTION = "tfretrieval"


@dataclass(frozen=True)
class StudyPlan:
    """What a study compares: every model with every retriever, without PCA and with it.

    Attributes:
        configs: model name -> training configuration.
        retrievers: types of the indexes; maps and neighbors show the first.
        pca: number of components or fraction of the variance; None for no indexes with PCA.
        milvus: settings of Milvus; every model has its own collection.
        figures: of `workflows.visualize.KINDS`.
    """

    configs: Mapping[str, TrainConfig]
    retrievers: Sequence[str] = ("knn", "faiss")
    pca: float | int | None = 0.95
    milvus: Mapping[str, Any] = field(default_factory=dict)
    figures: Sequence[str] = KINDS

    def requests(self, model: str) -> list[IndexRequest]:
        """The indexes of a model."""
        requests = []
        for retriever in self.retrievers:
            for suffix, pca in (("", "none"), ("-pca", self.pca)):
                if pca is None:
                    continue
                changes: dict[str, Any] = {"pca": pca}
                if retriever == "milvus":
                    stem = self.milvus.get("collection", COLLECTION)
                    changes |= {**self.milvus, "collection": f"{stem}_{model}{suffix.replace('-', '_')}"}
                requests.append(IndexRequest(retriever, changes, name=f"{retriever}{suffix}"))
        return requests


@dataclass(frozen=True)
class StudyResult:
    """The result of a study.

    Attributes:
        results: model -> index name -> evaluation.
        summary: the CSV file.
        report: the HTML file.
        seconds: model -> seconds of this call.
    """

    results: dict[str, dict[str, Evaluation]]
    summary: Path
    report: Path
    seconds: dict[str, float]


def run_study(catalog: Catalog, plan: StudyPlan, output: Path, argv: list[str] | None = None) -> StudyResult:
    """Train every model, evaluate it with every index, and write a report. An interrupted study can be repeated.

    Args:
        catalog: images with a train and a test split.
        plan: what to compare.
        output: `output/<model>/` becomes the run of a model; `summary.csv` and `report.html` are written beside.
        argv: command to record in the manifests.

    Raises:
        UserError: training or evaluating is not possible.
    """
    results: dict[str, dict[str, Evaluation]] = {}
    drawn: dict[str, dict[str, Drawing]] = {}
    seconds: dict[str, float] = {}
    runs = {name: Run(output / name) for name in plan.configs}
    for name, config in progress(plan.configs.items(), "study", total=len(plan.configs), unit="model"):
        started, options = time.monotonic(), EmbedOptions(config.on_error)
        log.info("%s: training", name)
        train(catalog, config, runs[name], resume=True, argv=argv)
        log.info("%s: evaluation", name)
        results[name] = {
            request.directory_name: evaluate_run(runs[name], catalog, request, options, seed=config.seed).evaluation
            for request in plan.requests(name)
        }
        log.info("%s: figures", name)
        drawn[name] = draw_all(runs[name], catalog, plan.retrievers, plan.figures, seed=config.seed)
        write_run_report(runs[name], catalog, results[name], drawn[name])
        seconds[name] = round(time.monotonic() - started, 1)
    summary, report = output / "summary.csv", output / "report.html"
    write_summary(summary, results)
    write_study_report(report, catalog, runs, results, drawn, seconds)
    return StudyResult(results, summary, report, seconds)


def summary_rows(results: Mapping[str, Mapping[str, Evaluation]]) -> list[dict[str, Any]]:
    """One row per model and index: P@1, P@3, P@5, P@10 and mAP with 95 % intervals, and milliseconds per query."""
    rows = []
    for model, evaluations in results.items():
        for evaluation in evaluations.values():
            row: dict[str, Any] = {
                "model": model,
                "retriever": evaluation.retriever,
                "pca": evaluation.provenance["settings"]["pca"],
                "dim": evaluation.dim,
            }
            for name in SUMMARY:
                if name in evaluation.metrics:
                    row[name] = evaluation.metrics[name]
                    row[f"{name}_low"], row[f"{name}_high"] = evaluation.intervals[name]
            row["ms_per_query"] = round(1000 * evaluation.seconds["one_query"], 3)
            rows.append(row)
    return rows


def write_summary(path: Path, results: Mapping[str, Mapping[str, Evaluation]]) -> None:
    """Write `summary_rows` as CSV."""
    rows = summary_rows(results)
    with replaced_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
