"""`tfret evaluate`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfretrieval.cli.options import (
    PATH,
    data_option,
    index_options,
    on_error_option,
    retriever_option,
    run_option,
    seed_option,
)
from tfretrieval.cli.output import prints_result, table
from tfretrieval.errors import UserError

if TYPE_CHECKING:
    from tfretrieval.evaluation.result import Evaluation
    from tfretrieval.retrieval.index import Index


def threshold(text: str) -> tuple[str, float]:
    """Convert METRIC=VALUE, such as map=0.9."""
    name, _, value = text.partition("=")
    with contextlib.suppress(ValueError):
        return name, float(value)
    raise click.BadParameter(f"{text!r} is not of the form METRIC=VALUE, such as map=0.9")


@click.command()
@run_option
@data_option
@retriever_option
@click.option("-k", "ks", type=click.IntRange(min=1), multiple=True, help="Cutoff; repeatable.  [default: 1 3 5 10]")
@click.option("--query-split", metavar="NAME", help="Split used as queries.  [default: test, if there is one]")
@index_options
@click.option("--queries", type=PATH, metavar="DIR", help="Embedding store of the queries; requires --gallery.")
@click.option("--gallery", type=PATH, metavar="DIR", help="Embedding store of the gallery; requires --queries.")
@click.option(
    "--fail-under",
    type=threshold,
    metavar="METRIC=VALUE",
    multiple=True,
    help="Exit with status 3 if a metric is lower; repeatable.",
)
@on_error_option
@seed_option
@prints_result
def evaluate(
    run: Path | None,
    data: str | None,
    retriever: str,
    ks: tuple[int, ...],
    query_split: str | None,
    queries: Path | None,
    gallery: Path | None,
    fail_under: tuple[tuple[str, float], ...],
    on_error: str,
    seed: int,
    **settings: Any,
) -> tuple[dict[str, Any], str]:
    """Evaluate retrieval: mAP, precision at k and more.

    Evaluates a run, after computing missing embeddings and indexes; or, with --gallery and --queries, any two
    embedding stores. A query that is also a gallery item is excluded from its own results.

    Index options rebuild the run's index; omitted options keep the settings of an existing index.
    """
    if (queries is None) != (gallery is None):
        raise click.UsageError("--queries and --gallery must be given together")
    cutoffs = ks or None
    gallery_split = settings.pop("gallery_split")
    if gallery is not None and queries is not None:
        evaluation, index = _evaluate_stores(gallery, queries, retriever, cutoffs, seed, settings)
    else:
        from tfretrieval.runs import Run
        from tfretrieval.workflows.embed import EmbedOptions
        from tfretrieval.workflows.evaluate import evaluate_run
        from tfretrieval.workflows.gallery import run_catalog
        from tfretrieval.workflows.index import IndexRequest

        opened = Run.open(run)
        options = EmbedOptions(on_error, query_split=query_split, gallery_split=gallery_split)
        request = IndexRequest(retriever, settings)
        evaluated = evaluate_run(opened, run_catalog(opened, data), request, options, cutoffs, seed)
        evaluation, index = evaluated.evaluation, evaluated.index
    result = evaluation.to_json()
    if failures := _failed_thresholds(evaluation, fail_under):
        result["exit_code"] = 3
        click.echo(f"tfret: {'; '.join(failures)}", err=True)
    return result, _format_metrics(evaluation, index)


def _evaluate_stores(
    gallery_dir: Path, query_dir: Path, kind: str, ks: tuple[int, ...] | None, seed: int, settings: dict[str, Any]
) -> tuple[Evaluation, Index]:
    from tfretrieval.embedding.store import Embeddings
    from tfretrieval.evaluation.evaluator import evaluate
    from tfretrieval.retrieval.index import Index
    from tfretrieval.workflows.index import settings_of_store

    gallery, queries = Embeddings.load(gallery_dir), Embeddings.load(query_dir)
    models = {store.provenance.get("model") for store in (gallery, queries)} - {None}
    if len(models) > 1:
        raise UserError(f"{query_dir} and {gallery_dir} were embedded by different models; re-embed one of them")
    for key in ("engine", "precision"):
        of_gallery, of_queries = (store.provenance.get(key) for store in (gallery, queries))
        if of_gallery != of_queries:
            click.echo(f"tfret: warning: gallery {key} is {of_gallery}, query {key} is {of_queries}", err=True)
    index = Index.build(gallery, settings_of_store(kind, gallery, settings))
    return evaluate(index, queries, ks=ks, seed=seed), index


def _failed_thresholds(evaluation: Evaluation, thresholds: tuple[tuple[str, float], ...]) -> list[str]:
    failures = []
    for name, limit in thresholds:
        if name not in evaluation.metrics:
            raise UserError(f"--fail-under: unknown metric {name!r}; choose from {', '.join(evaluation.metrics)}")
        if evaluation.metrics[name] < limit:
            failures.append(f"{name} {evaluation.metrics[name]:.4f} is below {limit}")
    return failures


def _format_metrics(evaluation: Evaluation, index: Index) -> str:
    rows = [
        [name, f"{value:.4f}", "{:.4f} to {:.4f}".format(*evaluation.intervals[name])]
        for name, value in evaluation.metrics.items()
    ]
    skipped = f" ({evaluation.n_skipped} skipped)" if evaluation.n_skipped else ""
    heading = (
        f"{index.describe()}: {evaluation.n_queries} queries{skipped}, {evaluation.n_gallery} gallery items, "
        f"{evaluation.dim} dimensions, chance precision {evaluation.chance_precision:.4f}"
    )
    return f"{heading}\n{table(['metric', 'mean', '95 % interval'], rows)}"
