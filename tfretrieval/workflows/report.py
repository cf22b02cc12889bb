"""HTML reports of a run and of a study."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tfretrieval.data.catalog import Catalog
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.report.captions import comparison_caption
from tfretrieval.report.content import Drawing, Report, Section
from tfretrieval.report.page import write_report
from tfretrieval.report.sections import Drawings, cost_section, data_section, model_sections
from tfretrieval.report.tables import Results, summary_table
from tfretrieval.runs import Run
from tfretrieval.visualize.comparison import plot_comparison
from tfretrieval.visualize.theme import save_both
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.index import IndexRequest
from tfretrieval.workflows.model import run_config
from tfretrieval.workflows.visualize import KINDS, draw_run


def report_run(
    run: Run, catalog: Catalog, retrievers: Sequence[str] = (), n_queries: int = 6, seed: int = 0
) -> tuple[Path, dict[str, Drawing]]:
    """Evaluate a run if necessary, draw its figures and write its report.

    Args:
        run: run with a trained model.
        catalog: its images.
        retrievers: retriever types, or names of other indexes of the run; by default those that it was evaluated
            with, or faiss. Maps and neighbors are drawn for the first.
        n_queries: queries per figure.
        seed: random seed of queries, projections and bootstrap.

    Returns:
        path of the report, and the drawings by name.

    Raises:
        UserError: the run cannot be evaluated, or a file cannot be written.
    """
    names = list(retrievers) or run.evaluated() or ["faiss"]
    results = {
        name: evaluate_run(run, catalog, IndexRequest.named(name), seed=seed, reuse=True).evaluation for name in names
    }
    drawings = draw_all(run, catalog, names, n_queries=n_queries, seed=seed)
    return write_run_report(run, catalog, results, drawings), drawings


def draw_all(
    run: Run,
    catalog: Catalog,
    retrievers: Sequence[str],
    figures: Sequence[str] = KINDS,
    n_queries: int = 6,
    seed: int = 0,
) -> dict[str, Drawing]:
    """Draw every figure for the first index, and precision-recall and confusion for those of other retriever types."""
    drawings = draw_run(run, catalog, figures, retrievers[0], n_queries=n_queries, seed=seed)
    for retriever in retrievers[1:]:
        if "-" not in retriever:
            drawings |= draw_run(run, catalog, ("pr", "confusion"), retriever, seed=seed)
    return drawings


def write_run_report(run: Run, catalog: Catalog, results: Mapping[str, Evaluation], drawings: Drawings) -> Path:
    """Write `report.html` of a run from its evaluations by retriever and its figures."""
    name, sections = run.directory.resolve().name, model_sections(run_config(run), results, drawings)
    report = _report(f"Retrieval report: {name}", catalog, {name: run}, {name: results}, sections)
    write_report(run.report_path, report)
    return run.report_path


def write_study_report(
    path: Path,
    catalog: Catalog,
    runs: Mapping[str, Run],
    results: Results,
    drawings: Mapping[str, Drawings],
    seconds: Mapping[str, float],
) -> None:
    """Write the report that compares models.

    Args:
        path: path of the report; the comparison figure is written beside it.
        catalog: the images.
        runs: model -> run.
        results: model -> retriever -> evaluation.
        drawings: model -> name -> drawing.
        seconds: model -> duration of training, evaluation and figures, in this process.
    """
    sections = [
        Section(model, sections=model_sections(run_config(run), results[model], drawings[model]))
        for model, run in runs.items()
    ]
    report = _report("Comparison of models and retrievers", catalog, runs, results, sections)
    comparison = _draw_comparison(path.parent / "comparison.png", results)
    durations = [(f"{name}, seconds of this study", round(s)) for name, s in seconds.items()]
    report = replace(
        report,
        summary=f"{report.summary} {comparison.caption}",
        figures=[comparison],
        provenance=[*report.provenance, *durations],
    )
    write_report(path, report)


def _report(
    title: str, catalog: Catalog, runs: Mapping[str, Run], results: Results, sections: Sequence[Section]
) -> Report:
    """A report of models, with sections about them between those about the data and the cost."""
    first = next(iter(next(iter(results.values())).values()))
    config = run_config(next(iter(runs.values())))
    return Report(
        title=title,
        summary=_describe_protocol(first),
        facts=_facts(first),
        table=summary_table(results),
        sections=[data_section(config, catalog), *sections, cost_section(runs, results)],
        provenance=_provenance(list(runs.values())),
    )


def _draw_comparison(path: Path, results: Results) -> Drawing:
    save_both(plot_comparison(results), path)
    return Drawing(
        "comparison",
        path,
        "P@1 and mAP by model and retriever",
        "Bars of P@1 and mAP with intervals; the values are those of the summary table",
        comparison_caption(results),
    )


def _describe_protocol(evaluation: Evaluation) -> str:
    splits = evaluation.provenance
    return (
        f"{evaluation.n_queries:,} {splits.get('query_split', 'query')} images are queries against a gallery of "
        f"{evaluation.n_gallery:,} {splits.get('gallery_split', 'gallery')} images. Chance precision "
        f"{evaluation.chance_precision:.3f}."
    )


def _facts(evaluation: Evaluation) -> list[tuple[str, Any]]:
    return [
        ("Queries", evaluation.n_queries),
        ("Gallery", evaluation.n_gallery),
        ("Classes", len(evaluation.per_class)),
        ("Skipped queries", evaluation.n_skipped),
        ("Chance precision", round(evaluation.chance_precision, 3)),
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
