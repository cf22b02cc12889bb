"""From runs and their evaluations to a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfretrieval.data.catalog import Catalog
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.report import PictureRows, Report, ReportFigure, Section, write_report
from tfretrieval.report.captions import say_best
from tfretrieval.report.picture import lightest
from tfretrieval.runs import Run
from tfretrieval.steps.answers import picture_rows
from tfretrieval.steps.evaluate import evaluate_run
from tfretrieval.steps.model import run_config
from tfretrieval.steps.report_tables import (
    RETRIEVERS,
    Results,
    class_table,
    data_table,
    index_costs_table,
    model_costs_table,
    summary_table,
)
from tfretrieval.steps.visualize import KINDS, Drawing, draw_run
from tfretrieval.visualize.comparison import ComparisonRow, plot_comparison
from tfretrieval.visualize.theme import save_both

Drawings = Mapping[str, Drawing]


def report_run(
    run: Run, catalog: Catalog, retrievers: Sequence[str] = (), n_queries: int = 6, seed: int = 0
) -> tuple[Path, dict[str, Drawing]]:
    """Evaluate a run where that has not been done, draw every figure and write its page.

    Args:
        run: with a trained model.
        catalog: its pictures.
        retrievers: kinds; none: those that the run was evaluated with, or KNN. The maps and neighbours show the first.
        n_queries: queries drawn at random, and hardest ones, that are shown.
        seed: of that draw, the projections and the bootstrap.

    Returns:
        The page and the drawings.

    Raises:
        UserError: whatever stands in the way.
    """
    kinds = list(retrievers) or [kind for kind in RETRIEVERS if run.evaluation(kind).is_dir()] or ["knn"]
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
            _data_section(run, catalog),
            *(
                Section(part.heading, part.prose, part.figures, part.tables, part.pictures)
                for part in _parts(run, results, drawn)
            ),
            _cost_section({name: run}, by_model),
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
        catalog: the pictures.
        runs: model -> run.
        results: model -> retriever -> evaluation.
        drawn: model -> name -> drawing.
        seconds: model -> what training, evaluation and figures took; of a study that went on, what was left.
    """
    comparison = path.parent / "comparison.png"
    first = next(iter(next(iter(results.values())).values()))
    save_both(plot_comparison(comparison_rows(results), chance=first.chance_precision), comparison)
    reached = {
        f"{model} with {RETRIEVERS[kind]}": (e.metrics["map"], e.intervals["map"][0], e.intervals["map"][1])
        for model, by_retriever in results.items()
        for kind, e in by_retriever.items()
        if "map" in e.intervals
    }
    said = say_best(reached, "mAP")
    report = Report(
        title="Which embedding finds the right pictures?",
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
            _data_section(next(iter(runs.values())), catalog),
            *(Section(model, sections=_parts(runs[model], results[model], drawn[model])) for model in runs),
            _cost_section(runs, results),
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
            RETRIEVERS[kind],
            e.metrics,
            {name: (low, high) for name, (low, high) in e.intervals.items()},
        )
        for model, by_retriever in results.items()
        for kind, e in by_retriever.items()
    ]


def _parts(run: Run, results: Mapping[str, Evaluation], drawn: Drawings) -> list[Section]:
    """What is told of one model: how it learnt, what it finds, where it fails, how its embedding lies."""
    first = next(iter(results.values()))
    parts = [
        Section("Training", _setup(run), _drawings(drawn, "history")),
        Section(
            "By class",
            "How well each class is found, and which classes are taken for each other.",
            _drawings(drawn, "pr", "confusion"),
            [class_table(first)],
        ),
        Section("Neighbours", "Random pictures with the nearest of the gallery.", pictures=_rows(drawn, "neighbours")),
        Section("Hardest queries", _hardest(first), pictures=_rows(drawn, "hardest")),
        Section(
            "Maps of the embedding",
            "The embeddings laid out in two dimensions. Near points are near in the embedding; distances between far "
            "groups mean nothing.",
            _drawings(drawn, "umap", "tsne"),
        ),
    ]
    return [part for part in parts if part.figures or part.tables or part.pictures]


def _drawings(drawn: Drawings, *kinds: str) -> list[ReportFigure]:
    return [
        ReportFigure(*_words(name), lightest(drawing.path), drawing.caption, wide=name == "history")
        for name, drawing in drawn.items()
        if name.partition("_")[0] in kinds
    ]


def _rows(drawn: Drawings, kind: str) -> list[PictureRows]:
    how = "A solid frame and a tick: the query's class; a broken frame and a cross: another. Below each, its distance."
    return [
        PictureRows(_words(name)[0], picture_rows(drawing.answers), f"{drawing.caption} {how}")
        for name, drawing in drawn.items()
        if name.partition("_")[0] == kind
    ]


def _words(name: str) -> tuple[str, str]:
    """Title of a figure, and what stands in its place, by its file name."""
    kind, _, rest = name.partition("_")
    retriever = RETRIEVERS.get(rest.rpartition("_")[2], "")
    described = {
        "pr": (f"Precision and recall by class, {retriever}", "Precision against recall, a curve a class"),
        "confusion": (f"Confusion, {retriever}", "Matrix of true class against class of the nearest neighbour"),
        "umap": ("UMAP", "The embeddings in two dimensions by UMAP, with the names of the classes"),
        "tsne": ("t-SNE", "The embeddings in two dimensions by t-SNE, with the names of the classes"),
        "history": ("Training", "Loss and validation figures by epoch"),
        "hardest": (f"The queries of the lowest average precision, {retriever}", "Queries and their nearest pictures"),
    }
    if kind == "neighbours":
        side = "queries" if "queries" in rest else "gallery pictures"
        return f"Neighbours of random {side}, {retriever}", f"Random {side} and their nearest pictures"
    return described[kind]


def _hardest(evaluation: Evaluation) -> str:
    precision = evaluation.per_query["average_precision"]
    below = int((precision < evaluation.chance_precision).sum())
    median = float(sorted(precision)[len(precision) // 2])
    return (
        f"The median average precision of a query is {median:.3f}; {below:,} of {len(precision):,} queries stay below "
        f"the {evaluation.chance_precision:.3f} of chance. These are the lowest, with what was found instead."
    )


def _setup(run: Run) -> str:
    config = run_config(run)
    values = "the backbone's features" if config.embedding_dim is None else f"{config.embedding_dim} values"
    weights = {"none": "from nothing", "imagenet": "from ImageNet weights"}.get(
        config.weights, "from weights in a file"
    )
    return (
        f"{config.backbone} at {config.image_size} pixels, {weights}, loss {config.loss}, "
        f"optimiser {config.optimizer}, up to {config.epochs} epochs, seed {config.seed}. "
        f"An embedding is {values}, compared by {config.metric} distance."
    )


def _protocol(evaluation: Evaluation) -> str:
    made = evaluation.made_from
    return (
        f"{evaluation.n_queries:,} pictures of {made.get('query_split', 'the queries')} ask, "
        f"{evaluation.n_gallery:,} of {made.get('gallery_split', 'the gallery')} can be found. A random ranking has a "
        f"precision of {evaluation.chance_precision:.3f}."
    )


def _data_section(run: Run, catalog: Catalog) -> Section:
    config, (asking, searched) = run_config(run), catalog.roles()
    apart = f"the pictures of {asking} were not learnt from"
    whole = "a query is not compared with itself" if asking == searched else apart
    monitor = {"val_map": "mAP", "val_precision_at_1": "P@1"}[config.monitor]
    prose = (
        f"{len(catalog):,} pictures of {catalog.n_classes} classes from {catalog.source}. Those of {asking} ask, "
        f"those of {searched} are searched; {whole}. A found picture is right where it has the query's class. "
        f"Of the training part, {config.validation_fraction:.0%} of each class were held out to choose the best "
        f"epoch by {monitor}.\n\n"
        "P@k is the share of right ones among the k nearest; mAP is the mean over queries of the average precision of "
        "the whole ranking, in which equal distances are one step. Means are over queries; intervals are bootstrapped "
        "over queries. PCA, where it is used, is fitted on the gallery alone."
    )
    return Section("Data and protocol", prose, tables=[data_table(catalog)])


def _cost_section(runs: Mapping[str, Run], results: Results) -> Section:
    machine = next(iter(runs.values())).manifest().get("machine")
    prose = "Times depend on the machine and on what else it did."
    if machine:
        prose = f"Trained on {machine['cpus']} CPUs, {machine['processor']}. {prose}"
    return Section("Cost", prose, tables=[model_costs_table(runs), index_costs_table(runs, results)])


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
        ("Data", f"{data['source']} ({data['n']} pictures, fingerprint {data['fingerprint']})"),
        *((f"Model {run.directory.name}", run.model_fingerprint()) for run in runs),
        ("Seed", manifest["seed"]),
        *([("System", machine["system"])] if machine else []),
        *((name, version) for name, version in manifest["versions"].items()),
    ]
