"""`tfret evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import (
    data_option,
    index_options,
    on_error_option,
    retriever_option,
    run_option,
    seed_option,
)
from tfretrieval.cli.output import prints_result, table
from tfretrieval.errors import UserError


class Threshold(click.ParamType):
    """NAME=VALUE, such as map=0.9."""

    name = "METRIC=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        name, equals, number = str(value).partition("=")
        try:
            if not equals:
                raise ValueError
            return name, float(number)
        except ValueError:
            self.fail(f"{value!r} is not of the form map=0.9", param, context)


@click.command()
@run_option
@data_option
@retriever_option
@click.option("-k", "ks", type=click.IntRange(min=1), multiple=True, help="Depth; repeatable.  [default: 1 3 5 10]")
@click.option("--query-split", metavar="NAME", help="Split that asks.  [default: test]")
@index_options
@click.option("--queries", type=click.Path(path_type=Path), help="Embedding store that asks, instead of a run.")
@click.option("--gallery", type=click.Path(path_type=Path), help="Embedding store that is searched, with --queries.")
@click.option("--fail-under", type=Threshold(), multiple=True, help="Exit with 3 where a metric is below.")
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
    """Measure how well queries find their class.

    Evaluates a run, embedding and indexing what is missing; or, with --gallery and --queries, any two embedding
    stores. Every query is ranked against the whole gallery; a query that is in the gallery does not find itself.
    """
    if (queries is None) != (gallery is None):
        raise click.UsageError("--queries and --gallery belong together")
    depths = ks or None
    if gallery is not None:
        settings.pop("gallery_split")
        evaluation = _of_stores(gallery, queries, retriever, depths, seed, settings)
    else:
        from tfretrieval.runs import Run
        from tfretrieval.workflows.evaluate import evaluate_run
        from tfretrieval.workflows.gallery import run_catalog

        opened = Run.open(run)
        catalog = run_catalog(opened, data)
        evaluation = evaluate_run(
            opened, catalog, retriever, depths, query_split, seed=seed, on_error=on_error, **settings
        ).evaluation
    result = evaluation.to_json()
    missed = []
    for name, limit in fail_under:
        if name not in evaluation.metrics:
            raise UserError(f"no metric {name!r}; there are {', '.join(evaluation.metrics)}")
        if evaluation.metrics[name] < limit:
            missed.append(f"{name} {evaluation.metrics[name]:.4f} is below {limit}")
    if missed:
        result["exit_code"] = 3
        click.echo(f"tfret: {'; '.join(missed)}", err=True)
    return result, _text(evaluation)


def _of_stores(
    gallery: Path, queries: Path | None, kind: str, ks: tuple[int, ...] | None, seed: int, settings: dict[str, Any]
) -> Any:
    from tfretrieval.embedding.store import Embeddings
    from tfretrieval.evaluation.evaluator import evaluate
    from tfretrieval.retrieval.index import Index
    from tfretrieval.retrieval.settings import IndexSettings
    from tfretrieval.workflows.index import with_changes

    assert queries is not None
    searched, asking = Embeddings.load(gallery), Embeddings.load(queries)
    models = {store.made_from.get("model") for store in (searched, asking)} - {None}
    if len(models) > 1:
        raise UserError(f"{queries} and {gallery} were embedded by different models")
    for what in ("engine", "precision"):
        one, other = (store.made_from.get(what) for store in (searched, asking))
        if one != other:
            click.echo(f"tfret: the gallery was embedded with the {what} {one}, the queries with {other}", err=True)
    index = Index.build(searched, with_changes(IndexSettings(retriever=kind), settings))
    return evaluate(index.retriever, asking, searched, index.transform, ks=ks, seed=seed)


def _text(evaluation: Any) -> str:
    rows = [
        [name, f"{value:.4f}", "{:.4f} to {:.4f}".format(*evaluation.intervals[name])]
        for name, value in evaluation.metrics.items()
    ]
    skipped = f", {evaluation.n_skipped} left out" if evaluation.n_skipped else ""
    head = (
        f"{evaluation.retriever}: {evaluation.n_queries} queries{skipped}, {evaluation.n_gallery} in the gallery, "
        f"{evaluation.dim} values; chance {evaluation.chance_precision:.4f}"
    )
    return head + "\n" + table(["metric", "mean", "95 % interval"], rows)
