"""What has been added to a run's gallery and taken out of it since it was trained."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfretrieval.atomic import read_json, write_json
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.sources import changed_at, located
from tfretrieval.errors import UserError
from tfretrieval.retrieval.index import Index
from tfretrieval.runs import Run
from tfretrieval.workflows.embed import CHANGED, embed_catalog, embed_split
from tfretrieval.workflows.engine import engine_of
from tfretrieval.workflows.index import ensure_index

log = logging.getLogger(__name__)

FORMAT = 1
FORGET = "delete it to forget the changes"
ADDED = "added"  # the split of new items where the source marks the gallery item by item


def run_catalog(run: Run, source: str | None = None) -> Catalog:
    """The catalog named by `source`, or the one that the run was trained on with the changes of its gallery.

    Raises:
        UserError: it cannot be read.
    """
    if source is not None:
        return Catalog.from_source(source)
    try:
        catalog = Catalog.from_source(run.source())
    except UserError as error:
        raise UserError(f"{error} (it is what {run.directory} was trained on; --data names another place)") from None
    for change in _changes(run):
        if "add" in change:
            try:
                added = Catalog.from_source(change["add"], change["split"])
            except UserError as error:
                remedy = f"delete {run.gallery_path} to forget what was added and removed"
                raise UserError(f"{error} (it was added to the gallery; {remedy})") from None
            catalog = catalog.joined(added)
        else:
            catalog = catalog.subset(~np.isin(catalog.ids.astype(str), change["remove"]))
    return catalog


def gallery_changed_at(run: Run) -> float:
    """When a source of the gallery last gained or lost files, in seconds since 1970; infinity where one is gone."""
    added = [change["add"] for change in _changes(run) if "add" in change]
    return max(changed_at(source) for source in [run.source(), *added])


def change_gallery(
    run: Run,
    retriever: str,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    gallery_split: str | None = None,
    on_error: str = "fail",
    **settings: Any,
) -> Index:
    """Put images into the gallery of a run and take items out of it; only what is new is embedded.

    The index of this kind is changed, those of other kinds are stale from then on.

    Args:
        run: with a trained model.
        retriever: "knn", "faiss" or "milvus".
        add: sources, as `Catalog.from_source` reads them; their own splits do not count.
        remove: ids of gallery items.
        gallery_split: which split changes; by default as `Catalog.roles` says.
        on_error: what a broken image does, "fail" or "skip".
        settings: fields of `IndexSettings`.

    Raises:
        UserError: an id is there already or is not there, or the kind of index cannot remove.
    """
    catalog = run_catalog(run)
    split = gallery_split or catalog.roles()[1]
    gallery = embed_split(run, catalog, split, on_error)
    if unknown := set(remove) - set(gallery.ids):
        raise UserError(f"the gallery has no item {sorted(unknown)[0]!r}")
    index = ensure_index(run, retriever, gallery, rebuild_damaged=True, **settings)
    changes = list(_changes(run))
    for source in add:
        new = Catalog.from_source(source, split if split in catalog.split_names else ADDED)
        catalog = catalog.joined(new)
        index, gallery = index.add(gallery, embed_catalog(run, new, on_error, engine_of(gallery)))
        changes.append({"add": located(source), "split": new.split_names[0]})
        log.info("added from %s: %d", source, len(new))
    if remove:
        index, gallery = index.remove(gallery, list(remove))
        catalog = catalog.subset(~np.isin(catalog.ids.astype(str), list(remove)))
        changes.append({"remove": sorted(remove)})
        log.info("removed: %d", len(remove))
    made_from = {**gallery.made_from, "data": catalog.split(split).fingerprint, CHANGED: True}
    replace(gallery, made_from=made_from).save(run.embeddings(split))
    write_json(run.gallery_path, {"format": FORMAT, "changes": changes})
    index.save(run.index(retriever))
    return index


def _changes(run: Run) -> list[dict[str, Any]]:
    if not run.gallery_path.exists():
        return []
    read = read_json(run.gallery_path, FORGET)
    if read.get("format") != FORMAT:
        raise UserError(f"{run.gallery_path} is not of format {FORMAT}; {FORGET}")
    changes = read.get("changes")
    if not isinstance(changes, list) or not all(map(_is_change, changes)):
        raise UserError(f"{run.gallery_path} is damaged: it holds something else than changes; {FORGET}")
    return changes


def _is_change(read: Any) -> bool:
    if not isinstance(read, dict):
        return False
    return isinstance(read.get("remove"), list) or {str} == {type(read.get(name)) for name in ("add", "split")}
