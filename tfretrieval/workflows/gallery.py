"""The catalog of a run, and changes of its gallery since training."""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfretrieval.artifacts import ArtifactType
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.sources import absolute_source, last_modified
from tfretrieval.errors import UserError
from tfretrieval.retrieval.index import Index
from tfretrieval.runs import Run
from tfretrieval.workflows.embed import CHANGED, EmbedOptions, embed_catalog, embed_split
from tfretrieval.workflows.engine import choice_of
from tfretrieval.workflows.index import IndexRequest, ensure_index

log = logging.getLogger(__name__)

GALLERY = ArtifactType("list of gallery changes", "gallery.json", 2, "delete gallery.json to discard the changes")
ADDED = "added"  # split of new items if the source marks gallery items one by one


def run_catalog(run: Run, source: str | None = None) -> Catalog:
    """The catalog of a source, or the one a run was trained on with the changes of its gallery.

    Raises:
        UserError: it cannot be read.
    """
    if source is not None:
        return Catalog.from_source(source)
    recorded = run.source()
    try:
        catalog = Catalog.from_source(recorded)
    except UserError as error:
        problem = f"cannot read the data of {run.directory}: {error.problem}"
        raise UserError(problem, "name another location with --data") from None
    for change in _changes(run):
        if "add" in change:
            try:
                catalog = catalog.concat(Catalog.from_source(change["add"], change["split"]))
            except UserError as error:
                raise UserError(f"cannot read images added to the gallery: {error}", GALLERY.remedy) from None
        else:
            catalog = catalog.subset(~np.isin(catalog.ids.astype(str), change["remove"]))
    return catalog


def gallery_last_modified(run: Run) -> float:
    """When the gallery last gained or lost files, in seconds since 1970; infinity if a source is missing."""
    added = [change["add"] for change in _changes(run) if "add" in change]
    changed = run.gallery_path.stat().st_mtime if run.gallery_path.exists() else 0.0
    return max(changed, *(last_modified(source) for source in [run.source(), *added]))


def change_gallery(
    run: Run,
    request: IndexRequest,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    options: EmbedOptions | None = None,
) -> Index:
    """Add images to the gallery of a run and remove items. Only new images are embedded.

    The requested index is changed in place; indexes of other retrievers become stale.

    Args:
        run: a run with a trained model.
        request: the index to change.
        add: sources, as `Catalog.from_source` reads them; their splits are ignored.
        remove: ids of gallery items.
        options: how to embed, and which split is the gallery.

    Raises:
        UserError: an id exists already or does not exist, or the index cannot remove items.
    """
    options = options or EmbedOptions()
    catalog = run_catalog(run)
    split = options.roles(catalog)[1]
    gallery = embed_split(run, catalog, split, options)
    if unknown := set(remove) - set(gallery.items.ids):
        raise UserError(f"the gallery has no item {min(unknown)!r}")
    index = ensure_index(run, gallery, replace(request, rebuild_corrupt=True))
    changes = _changes(run)
    for source in add:
        new = Catalog.from_source(source, split if split in catalog.split_names else ADDED)
        catalog = catalog.concat(new)
        vectors = embed_catalog(run, new, replace(options, engine=choice_of(gallery.provenance)))
        index.add(vectors)
        gallery = gallery.concat(vectors)
        changes.append({"add": absolute_source(source), "split": new.split_names[0]})
        log.info("added %d images from %s", len(new), source)
    if remove:
        index.remove(list(remove))
        gallery = gallery.subset(~np.isin(gallery.items.ids.astype(str), list(remove)))
        catalog = catalog.subset(~np.isin(catalog.ids.astype(str), list(remove)))
        changes.append({"remove": sorted(remove)})
        log.info("removed %d items", len(remove))
    provenance = {**gallery.provenance, "data": catalog.split(split).fingerprint, CHANGED: True}
    provenance.pop("embedding_seconds", None)
    gallery = replace(gallery, provenance=provenance)
    gallery.save(run.embeddings(split))
    GALLERY.write_header(run.directory, {"changes": changes})
    kept = {name: value for name, value in index.provenance.items() if name not in provenance}
    index = replace(index, gallery_fingerprint=gallery.fingerprint, provenance={**provenance, **kept})
    index.save(run.index(request.directory_name))
    return index


def _changes(run: Run) -> list[dict[str, Any]]:
    if not run.gallery_path.exists():
        return []
    with GALLERY.reading(run.directory):
        return [
            {"remove": list(change["remove"])}
            if "remove" in change
            else {"add": os.fspath(change["add"]), "split": os.fspath(change["split"])}
            for change in GALLERY.read_header(run.directory)["changes"]
        ]
