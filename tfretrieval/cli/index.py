"""`tfret index`."""

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import (
    PATH,
    data_option,
    index_options,
    n_bytes,
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
@click.option("--memory-limit", type=n_bytes, metavar="SIZE", help="FAISS: memory limit of the build, such as 4GB.")
@click.option("--store", metavar="DIR", help="Embedding store or shards to index, instead of a run.")
@click.option("--output", type=PATH, metavar="DIR", help="Index directory, for --store.")
@click.option("--add", metavar="SOURCE", multiple=True, help="Add the images of a folder or CSV file; repeatable.")
@click.option("--remove", metavar="ID", multiple=True, help="Remove an item from the gallery; repeatable.")
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
    """Build a search index over the gallery.

    Missing embeddings are computed first. Omitted options keep the settings of an existing index. For an approximate
    index, recall against exact search is measured and printed. --target-recall tries several FAISS index types and
    prints the trials as a table. --memory-limit builds an index on disk if it would exceed the limit.

    --add and --remove change the gallery for all commands that follow. Only new images are embedded.

    With --retriever milvus the vectors are stored in a Milvus collection, in a local file (Milvus Lite) or on a
    server. Only missing vectors are inserted: rerun the command to resume after an interruption.
    """
    from tfretrieval.embedding.ray.parquet_shards import load_store
    from tfretrieval.runs import Run
    from tfretrieval.workflows.embed import EmbedOptions, embed_split
    from tfretrieval.workflows.gallery import change_gallery, run_catalog
    from tfretrieval.workflows.index import IndexRequest, build_index, ensure_index, settings_of_store

    request = IndexRequest(retriever, settings, "", memory_limit, replace, rebuild_corrupt=True)
    if (store is None) != (output is None):
        raise click.UsageError("--store and --output must be given together")
    if store is not None and output is not None:
        if run or data or gallery_split or add or remove:
            raise click.UsageError("--store excludes --run, --data, --gallery-split, --add and --remove")
        embeddings = load_store(store)
        chosen = settings_of_store(retriever, embeddings, settings)
        return _describe(output, build_index(output, embeddings, chosen, request), embeddings, seed)
    opened, options = Run.open(run), EmbedOptions(on_error, gallery_split=gallery_split)
    if add or remove:
        if data:
            raise click.UsageError("--add and --remove change the run's own gallery; omit --data")
        change_gallery(opened, request, add, remove, options)
    catalog = run_catalog(opened, data)
    gallery = embed_split(opened, catalog, options.roles(catalog)[1], options)
    built = ensure_index(opened, gallery, request)
    return _describe(opened.index(retriever), built, gallery, seed)


def _describe(path: Path, index: Any, gallery: Any, seed: int) -> tuple[dict[str, Any], str]:
    from tfretrieval.workflows.index import RECALL_K, index_recall

    exact, recall_name = index.retriever.is_exact, f"recall_at_{RECALL_K}"
    recall = 1.0 if exact else index.provenance.get(recall_name)
    if recall is None:
        recall = index_recall(index, gallery, seed)
    params = index.retriever.get_params()
    result = {
        "path": str(path),
        "retriever": index.settings.retriever,
        "metric": index.settings.metric,
        **{name: params.get(name) for name in ("factory", "search", "uri", "collection", "index_type")},
        "n": len(gallery),
        "dim": index.dim,
        "exact": exact,
        recall_name: recall,
        "tuning": index.provenance.get("tuning"),
    }
    quality = "exact" if exact else f"approximate, recall@{RECALL_K} {recall:.4f}"
    text = f"{path}: {index.describe()}, {quality}; {result['n']} vectors, {result['dim']} dimensions"
    return result, text if result["tuning"] is None else f"{text}\n{_format_trials(result['tuning'])}"


def _format_trials(tuning: dict[str, Any]) -> str:
    """Table of the trials; a star marks the chosen one."""
    rows = [
        [
            ("* " if trial == tuning["chosen"] else "  ") + trial["factory"],
            " ".join(f"{name}={value:g}" for name, value in trial["search"].items()),
            f"{trial['recall']:.4f}",
            "" if trial["queries_per_second"] is None else f"{trial['queries_per_second']:.0f}",
            f"{trial['bytes_per_vector']:.0f}",
        ]
        for trial in tuning["table"]
    ]
    trials = table(["  index", "parameters", f"recall@{tuning['k']}", "queries/s", "bytes/vector"], rows)
    criterion = "the lower bound of the 95 % interval of its recall on held-out vectors reaches"
    return f"{trials}\n* chosen: the fastest index for which {criterion} {tuning['target_recall']:g}"
