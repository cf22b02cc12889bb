"""Search the gallery of a run for images like given ones."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.sources import absolute_source, last_changed
from tfretrieval.errors import UserError
from tfretrieval.retrieval.base import Where
from tfretrieval.retrieval.index import INDEX, Index
from tfretrieval.retrieval.search_result import SearchResult, search_results
from tfretrieval.runs import Run
from tfretrieval.workflows.embed import CHANGED, EmbedOptions, embed_catalog, embed_split
from tfretrieval.workflows.engine import choice_of
from tfretrieval.workflows.gallery import gallery_last_modified, run_catalog
from tfretrieval.workflows.index import IndexRequest, ensure_index, load_index


def query_run(
    run: Run,
    images: Sequence[Path],
    k: int = 5,
    retriever: str = "faiss",
    where: Where | None = None,
    options: EmbedOptions | None = None,
    source: str | None = None,
) -> list[SearchResult]:
    """The k nearest gallery items of each image.

    An existing index is used unless the model has changed, or files of the gallery have been added, changed or deleted:
    then changed images are detected by their content, and the gallery is re-embedded and re-indexed if necessary.

    Args:
        run: a run with a trained model.
        images: image files.
        k: number of neighbors.
        retriever: "knn", "faiss" or "milvus".
        where: restrict the gallery, see `Index.search`.
        options: mode for unreadable images, and the gallery split.
        source: data to search; by default the run's own.

    Returns:
        one result for each image that can be read; without votes if hits are restricted to some classes.

    Raises:
        UserError: an image is missing or unreadable, k is larger than the gallery, or a class or split does not exist.
    """
    options = options or EmbedOptions()
    for path in images:
        if path.is_dir():
            raise UserError(f"{path} is a folder", "name the images in it")
        if not path.is_file():
            raise UserError(f"there is no image {path}")
    index = None if source else current_index(run, retriever, options.gallery_split)
    if index is None:
        catalog = run_catalog(run, source)
        gallery = embed_split(run, catalog, options.roles(catalog)[1], options)
        index = ensure_index(run, gallery, IndexRequest(retriever))
        (run.index(retriever) / INDEX.header).touch()  # up to date as of now
    if where:
        index.items.rows_where(**where)  # raises before anything is embedded
    names = [str(path) for path in images]
    catalog = Catalog.from_lists(names, ids=[f"{i}:{name}" for i, name in enumerate(names)])
    queries = embed_catalog(run, catalog, replace(options, engine=choice_of(index.provenance)))
    results = search_results(index.search(queries, k, where), queries.items, index.items)
    return [replace(result, vote="") for result in results] if where and where.get("classes") else results


def current_index(run: Run, retriever: str, gallery_split: str | None = None) -> Index | None:
    """The index of a run, memory-mapped, if it is not stale; else None.

    Raises:
        UserError: the index is corrupt, or the run has no model.
    """
    header = run.index(retriever) / INDEX.header
    if not run.index(retriever).exists():
        return None
    index = load_index(run, retriever, mmap=True)
    expected = {
        "model": run.model_fingerprint(),
        "source": absolute_source(run.source()),
        "split": gallery_split or index.provenance.get("default_gallery_split"),
        CHANGED: run.gallery_path.exists(),
    }
    if not expected.items() <= {CHANGED: False, **index.provenance}.items():
        return None
    changed = max(gallery_last_modified(run), last_changed(index.items.paths))
    return index if changed <= header.stat().st_mtime else None
