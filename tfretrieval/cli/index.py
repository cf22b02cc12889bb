"""`tfret index`."""

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


@click.command()
@run_option
@data_option
@retriever_option
@index_options
@on_error_option
@seed_option
@prints_result
def index(
    run: Path | None,
    data: str | None,
    retriever: str,
    gallery_split: str | None,
    on_error: str,
    seed: int,
    **settings: Any,
) -> tuple[dict[str, Any], str]:
    """Build an index over the gallery's vectors.

    Vectors are embedded first where they are missing. For an index that is approximate, its recall against exact
    search is measured and printed. With --target-recall several kinds of FAISS index are tried on the gallery; what
    they reached is printed as a table.
    """
    from tfretrieval.runs import Run
    from tfretrieval.steps.embed import embed_split
    from tfretrieval.steps.index import RECALL_K, ensure_index, index_recall
    from tfretrieval.steps.model import run_catalog

    opened = Run.open(run)
    catalog = run_catalog(opened, data)
    gallery = embed_split(opened, catalog, gallery_split or catalog.roles()[1], on_error)
    built = ensure_index(opened, retriever, gallery, rebuild_damaged=True, **settings)
    exact = built.retriever.is_exact
    recall = 1.0 if exact else index_recall(built, gallery, seed)
    result = {
        "path": str(opened.index(retriever)),
        "retriever": retriever,
        "metric": built.settings.metric,
        "factory": built.retriever.get_params().get("factory"),
        "search": built.retriever.get_params().get("search"),
        "n": len(gallery),
        "dim": built.retriever.n_features_in_,
        "exact": exact,
        f"recall_at_{RECALL_K}": recall,
        "tuning": built.made_from.get("tuning"),
    }
    quality = "exact" if exact else f"approximate, recall@{RECALL_K} {recall:.4f}"
    text = f"{result['path']}: {result['n']} vectors of {result['dim']} values, {built.settings.metric}, {quality}"
    return result, text if result["tuning"] is None else f"{text}\n{_table(result['tuning'])}"


def _table(tuning: dict[str, Any]) -> str:
    """What was tried, the choice marked by a star."""
    rows = []
    for trial in tuning["table"]:
        search = " ".join(f"{name}={value:g}" for name, value in trial["search"].items())
        speed = trial["queries_per_second"]
        rows.append(
            [
                ("* " if trial == tuning["chosen"] else "  ") + trial["factory"],
                search,
                f"{trial['recall']:.4f}",
                "" if speed is None else f"{speed:.0f}",
                f"{trial['bytes_per_vector']:.0f}",
            ]
        )
    return table(["  index", "parameters", f"recall@{tuning['k']}", "queries/s", "bytes a vector"], rows)
