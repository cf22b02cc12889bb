"""From runs and their evaluations to a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfretrieval.data.catalog import Catalog
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.report import Report, ReportFigure, Section, write_report
from tfretrieval.report.captions import say_best
from tfretrieval.report.image import lightest
from tfretrieval.retrieval import TITLES
from tfretrieval.runs import Run
from tfretrieval.visualize.comparison import ComparisonRow, plot_comparison
from tfretrieval.visualize.theme import save_both
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.report_sections import Drawings, cost_section, data_section, model_sections
from tfretrieval.workflows.report_tables import Results, summary_table
from tfretrieval.workflows.visualize import KINDS, Drawing, draw_run


def report_run(
    run: Run, catalog: Catalog, retrievers: Sequence[str] = (), n_queries: int = 6, seed: int = 0
) -> tuple[Path, dict[str, Drawing]]:
    """Evaluate a run where that has not been done, draw every figure and write its page.

    Args:
        run: with a trained model.
        catalog: its images.
        retrievers: kinds; none: those that the run was evaluated with, or KNN. The maps and neighbors show the first.
        n_queries: queries drawn at random, and hardest ones, that are shown.
        seed: of that draw, the projections and the bootstrap.

    Returns:
        The page and the drawings.

    Raises:
        UserError: whatever stands in the way.
    """
    kinds = list(retrievers) or [kind for kind in TITLES if run.evaluation(kind).is_dir()] or ["knn"]
    run.costs()  # what is damaged is told of before all the drawing
    results = {kind: evaluate_run(run, catalog, kind, seed=seed, reuse=True).evaluation for kind in kinds}
    drawn = draw_all(run, catalog, kinds, n_queries=n_queries, seed=seed)
    return write_run_report(run, catalog, results, drawn), drawn


def draw_all(
    run: Run,
    catalog: Catalog,
    retrievers: Sequence[str],
    figures: Sequence[str] = KINDS,
    n_queries: int = 6,
    seed: int = 0,
) -> dict[str, Drawing]:
    """Every figure with the first retriever; with the others those that differ between exact indexes."""
    drawn = draw_run(run, catalog, figures, retrievers[0], n_queries=n_queries, seed=seed)
    for kind in retrievers[1:]:
        drawn |= draw_run(run, catalog, ("pr", "confusion"), kind, seed=seed)
    return drawn


def write_run_report(run: Run, catalog: Catalog, results: Mapping[str, Evaluation], drawn: Drawings) -> Path:
    """Write `report.html` of one run: its evaluations by retriever and its figures."""
    name = run.directory.resolve().name
    by_model = {name: results}
    report = Report(
        title=f"Retrieval with {name}",
        summary=_protocol(next(iter(results.values()))),
        facts=_facts(by_model),
        table=summary_table(by_model),
        sections=[
            data_section(run, catalog),
            *model_sections(run, results, drawn),
            cost_section({name: run}, by_model),
        ],
        provenance=_provenance([run]),
    )
    write_report(run.report_path, report)
    return run.report_path


def write_study_report(
    path: Path,
    catalog: Catalog,
    runs: Mapping[str, Run],
    results: Results,
    drawn: Mapping[str, Drawings],
    seconds: Mapping[str, float],
) -> None:
    """Write the page that compares models.

    Args:
        path: of the page; the figure that compares lies beside it.
        catalog: the images.
        runs: model -> run.
        results: model -> retriever -> evaluation.
        drawn: model -> name -> drawing.
        seconds: model -> what training, evaluation and figures took; of a study that went on, what was left.
    """
    comparison = path.parent / "comparison.png"
    first = next(iter(next(iter(results.values())).values()))
    save_both(plot_comparison(comparison_rows(results), chance=first.chance_precision), comparison)
    reached = {
        f"{model} with {TITLES[kind]}": (e.metrics["map"], e.intervals["map"][0], e.intervals["map"][1])
        for model, by_retriever in results.items()
        for kind, e in by_retriever.items()
        if "map" in e.intervals
    }
    said = say_best(reached, "mAP")
    report = Report(
        title="Which embedding finds the right images?",
        summary=f"{_protocol(first)} {said}",
        facts=_facts(results),
        table=summary_table(results),
        figures=[
            ReportFigure(
                "Models and retrievers",
                "Bars of P@1 and mAP with intervals; the values are those of the summary table",
                lightest(comparison),
                f"P@1 and mAP with their 95 % intervals; dotted, the precision of a random ranking. {said}",
                wide=True,
            )
        ],
        sections=[
            data_section(next(iter(runs.values())), catalog),
            *(Section(model, sections=model_sections(runs[model], results[model], drawn[model])) for model in runs),
            cost_section(runs, results),
        ],
        provenance=[
            *_provenance(list(runs.values())),
            *((f"{name}, seconds of this study", round(s)) for name, s in seconds.items()),
        ],
    )
    write_report(path, report)


def comparison_rows(results: Results) -> list[ComparisonRow]:
    """The rows of `summary_table` for `plot_comparison`."""
    return [
        ComparisonRow(
            model,
            TITLES[kind],
            e.metrics,
            {name: (low, high) for name, (low, high) in e.intervals.items()},
        )
        for model, by_retriever in results.items()
        for kind, e in by_retriever.items()
    ]


def _protocol(evaluation: Evaluation) -> str:
    made = evaluation.made_from
    return (
        f"{evaluation.n_queries:,} images of {made.get('query_split', 'the queries')} ask, "
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


def _provenance(runs: Sequence[Run]) -> list[tuple[str, Any]]:
    manifest = runs[0].manifest()
    data, machine = manifest["data"], manifest.get("machine")
    return [
        ("Command", " ".join(manifest["argv"])),
        ("Data", f"{data['source']} ({data['n']} images, fingerprint {data['fingerprint']})"),
        *((f"Model {run.directory.name}", run.model_fingerprint()) for run in runs),
        ("Seed", manifest["seed"]),
        *([("System", machine["system"])] if machine else []),
        *((name, version) for name, version in manifest["versions"].items()),
    ]
