"""From runs and their evaluations to a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfretrieval.evaluation.result import Evaluation
from tfretrieval.report import Estimate, Report, ReportFigure, Section, Table, write_report
from tfretrieval.runs import Run
from tfretrieval.steps.model import run_config
from tfretrieval.visualize.comparison import ComparisonRow, plot_comparison
from tfretrieval.visualize.theme import save_figure

SUMMARY = ("precision_at_1", "precision_at_3", "precision_at_5", "precision_at_10", "map")
SHORT = {name: name.replace("precision_at_", "P@").replace("map", "mAP") for name in SUMMARY}
RETRIEVERS = {"knn": "KNN", "faiss": "FAISS", "milvus": "Milvus"}

Results = Mapping[str, Mapping[str, Evaluation]]


def write_run_report(run: Run, results: Mapping[str, Evaluation], figures: Mapping[str, Path]) -> Path:
    """Write `report.html` of one run: its evaluations by retriever and its figures."""
    name = run.directory.name
    report = Report(
        title=f"Retrieval with {name}",
        summary=_protocol(next(iter(results.values()))),
        facts=_facts({name: results}),
        table=summary_table({name: results}),
        sections=[_run_section(name, run, results, figures)],
        provenance=_provenance([run]),
    )
    write_report(run.report_path, report)
    return run.report_path


def write_study_report(
    path: Path,
    runs: Mapping[str, Run],
    results: Results,
    figures: Mapping[str, Mapping[str, Path]],
    seconds: Mapping[str, float],
) -> None:
    """Write the page that compares models: {model: run}, {model: {retriever: evaluation}}, {model: {name: PNG}}."""
    comparison = path.parent / "comparison.png"
    first = next(iter(next(iter(results.values())).values()))
    save_figure(plot_comparison(comparison_rows(results), chance=first.chance_precision), comparison)
    best_model, best_retriever = max(
        ((model, kind) for model in results for kind in results[model]),
        key=lambda pair: results[pair[0]][pair[1]].metrics["map"],
    )
    best = results[best_model][best_retriever].metrics
    report = Report(
        title="Which embedding finds the right pictures?",
        summary=(
            f"{_protocol(first)} The best mAP is {best['map']:.3f}, by {best_model} with "
            f"{RETRIEVERS[best_retriever]} (P@1 {best['precision_at_1']:.3f})."
        ),
        facts=_facts(results),
        table=summary_table(results),
        figures=[
            ReportFigure("Models and retrievers", "Bars of P@1 and mAP, listed in the table above", comparison, True)
        ],
        sections=[_run_section(model, runs[model], results[model], figures[model]) for model in runs],
        provenance=[
            *_provenance(list(runs.values())),
            *((f"{name}, seconds", round(s)) for name, s in seconds.items()),
        ],
    )
    write_report(path, report)


def summary_table(results: Results) -> Table:
    """The study's table: a row a model and retriever; values searched, P@1, P@3, P@5, P@10 and mAP with intervals."""
    rows = [
        [model, RETRIEVERS[kind], evaluation.dim, *(_estimate(evaluation, name) for name in SUMMARY)]
        for model, by_retriever in results.items()
        for kind, evaluation in by_retriever.items()
    ]
    return Table(
        ["Model", "Retriever", "Values", *SHORT.values()],
        rows,
        caption=(
            "Means over the queries, with 95 % bootstrap intervals; values: how many of a picture were searched, fewer "
            "than it has where PCA came first. The best of each column is marked."
        ),
        row_headers=2,
        best=dict.fromkeys(SHORT.values(), "max"),
    )


def comparison_rows(results: Results) -> list[ComparisonRow]:
    """The rows of `summary_table` for `plot_comparison`."""
    return [
        ComparisonRow(
            model,
            RETRIEVERS[kind],
            e.metrics,
            {name: (low, high) for name, (low, high) in e.intervals.items()},
        )
        for model, by_retriever in results.items()
        for kind, e in by_retriever.items()
    ]


def _run_section(name: str, run: Run, results: Mapping[str, Evaluation], figures: Mapping[str, Path]) -> Section:
    config = run_config(run)
    prose = (
        f"{config.backbone} at {config.image_size} pixels, loss {config.loss}, {config.epochs} epochs, "
        f"seed {config.seed}; embeddings of {next(iter(results.values())).dim} values compared by "
        f"{config.metric} distance."
    )
    by_class = next(iter(results.values())).per_class
    table = Table(
        ["Class", "Queries", "Gallery", "P@1", "mAP", "AP (pooled)"],
        [
            [
                label,
                int(row["n_queries"]),
                int(row["n_gallery"]),
                row["precision_at_1"],
                row["map"],
                row["ap"],
            ]
            for label, row in by_class.items()
        ],
        caption=f"By class, with {RETRIEVERS[next(iter(results))]}.",
    )
    pictures = [
        ReportFigure(*_words(key), png=path, wide=key.startswith(("neighbours", "history")))
        for key, path in figures.items()
    ]
    return Section(name, prose, pictures, [table])


def _words(key: str) -> tuple[str, str]:
    """Title and description of a figure by its file name."""
    kind, _, rest = key.partition("_")
    retriever = RETRIEVERS.get(rest.rpartition("_")[2], "")
    described = {
        "pr": (f"Precision and recall, {retriever}", "Precision against recall, a curve a class"),
        "confusion": (
            f"Confusion, {retriever}",
            "Matrix of true class against class of the nearest neighbour",
        ),
        "umap": ("UMAP", "The embeddings in two dimensions by UMAP, coloured by class"),
        "tsne": ("t-SNE", "The embeddings in two dimensions by t-SNE, coloured by class"),
        "history": ("Training", "Loss and validation figures by epoch"),
    }
    if kind == "neighbours":
        side = "queries" if "queries" in rest else "gallery items"
        return (
            f"Neighbours of random {side}",
            f"Random {side} and their nearest pictures, right or wrong marked",
        )
    return described[kind]


def _protocol(evaluation: Evaluation) -> str:
    made = evaluation.made_from
    return (
        f"{evaluation.n_queries:,} pictures of {made.get('query_split', 'the queries')} ask, "
        f"{evaluation.n_gallery:,} of {made.get('gallery_split', 'the gallery')} can be found. A random ranking has a "
        f"precision of {evaluation.chance_precision:.3f}."
    )


def _facts(results: Results) -> list[tuple[str, Any]]:
    evaluation = next(iter(next(iter(results.values())).values()))
    return [
        ("Queries", evaluation.n_queries),
        ("Gallery", evaluation.n_gallery),
        ("Classes", len(evaluation.per_class)),
        ("Left out", evaluation.n_skipped),
        ("Chance", round(evaluation.chance_precision, 3)),
    ]


def _estimate(evaluation: Evaluation, name: str) -> Estimate | float | None:
    if name not in evaluation.metrics:
        return None
    value = evaluation.metrics[name]
    return Estimate(value, *evaluation.intervals[name]) if name in evaluation.intervals else value


def _provenance(runs: Sequence[Run]) -> list[tuple[str, Any]]:
    manifest = runs[0].manifest()
    data = manifest["data"]
    return [
        ("Command", " ".join(manifest["argv"])),
        ("Data", f"{data['source']} ({data['n']} pictures, fingerprint {data['fingerprint']})"),
        *((f"Model {run.directory.name}", run.model_fingerprint()) for run in runs),
        ("Seed", manifest["seed"]),
        *((name, version) for name, version in manifest["versions"].items()),
    ]
