"""`tfret index`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import (
    Bytes,
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
@click.option(
    "--memory-limit", type=Bytes(), help="FAISS: build within so much RAM, such as 4GB, on the disk if need be."
)
@click.option("--store", metavar="DIR", help="Embedding store or shards to index, instead of a run.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder of that index.")
@click.option("--add", metavar="SOURCE", multiple=True, help="Put the images of a folder or CSV into the gallery.")
@click.option("--remove", metavar="ID", multiple=True, help="Take an item out of the gallery; repeatable.")
@click.option("--replace", is_flag=True, help="Milvus: drop a collection that holds vectors of another model.")
@on_error_option
@seed_option
@prints_result
def index(
    run: Path | None,
    data: str | None,
    retriever: str,
    gallery_split: str | None,
    memory_limit: int | None,
    store: str | None,
    output: Path | None,
    add: tuple[str, ...],
    remove: tuple[str, ...],
    replace: bool,
    on_error: str,
    seed: int,
    **settings: Any,
) -> tuple[dict[str, Any], str]:
    """Build an index over the gallery's vectors.

    Vectors are embedded first where they are missing. For an index that is approximate, its recall against exact
    search is measured and printed. With --target-recall several kinds of FAISS index are tried on the gallery; what
    they reached is printed as a table.

    An option that is left out keeps what the index that is there has; the defaults are those of a new one.

    --add and --remove change the gallery from now on, for every command. Only new images are embedded.

    With --retriever milvus the vectors go to a collection of a Milvus database: in this process, or on a server. Only
    what is missing there is inserted, so that an interrupted command goes on when it is repeated.
    """
    from tfretrieval.embedding.ray.parquet_shards import load_store
    from tfretrieval.retrieval.settings import IndexSettings
    from tfretrieval.runs import Run
    from tfretrieval.workflows.embed import embed_split
    from tfretrieval.workflows.gallery import change_gallery, run_catalog
    from tfretrieval.workflows.index import build_index, ensure_index, with_changes

    if (store is None) != (output is None):
        raise click.UsageError("--store and --output belong together")
    if store is not None and output is not None:
        if run or data or gallery_split or add or remove:
            raise click.UsageError("--store stands alone: without --run, --data, --gallery-split, --add, --remove")
        vectors = load_store(store)
        chosen = with_changes(IndexSettings(retriever), settings)
        return _described(output, build_index(output, vectors, chosen, replace, memory_limit), vectors, seed)
    opened = Run.open(run)
    if add or remove:
        if data:
            raise click.UsageError("--add and --remove change the run's own gallery; leave out --data")
        change_gallery(opened, retriever, add, remove, gallery_split, on_error, **settings)
        settings = {}
    catalog = run_catalog(opened, data)
    gallery = embed_split(opened, catalog, gallery_split or catalog.roles()[1], on_error)
    options = {"replace_others": replace, "memory_limit": memory_limit, **settings}
    built = ensure_index(opened, retriever, gallery, rebuild_damaged=True, **options)
    return _described(opened.index(retriever), built, gallery, seed)


def _described(path: Path, built: Any, gallery: Any, seed: int) -> tuple[dict[str, Any], str]:
    """What is printed of an index."""
    from tfretrieval.workflows.index import RECALL_K, index_recall

    exact, name = built.retriever.is_exact, f"recall_at_{RECALL_K}"
    recall = 1.0 if exact else built.made_from.get(name)
    if recall is None:
        recall = index_recall(built, gallery, seed)
    params = built.retriever.get_params()
    result = {
        "path": str(path),
        "retriever": built.retriever.kind,
        "metric": built.settings.metric,
        **{name: params.get(name) for name in ("factory", "search", "uri", "collection", "index_type")},
        "n": len(gallery),
        "dim": built.retriever.n_features_in_,
        "exact": exact,
        name: recall,
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
    tried = table(["  index", "parameters", f"recall@{tuning['k']}", "queries/s", "bytes a vector"], rows)
    sure = "the lower end of the 95 % interval of its recall on held-out vectors counts"
    return f"{tried}\n* chosen: the fastest that is sure to reach {tuning['target_recall']:g}; {sure}"
