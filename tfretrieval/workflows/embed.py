"""Embed the images of a run, or reuse embeddings that are up to date."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfretrieval.artifacts import load_or_none
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.sources import absolute_source
from tfretrieval.embedding.store import Embeddings, remove_incomplete
from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.workflows.engine import AUTO, EngineChoice, engine_for
from tfretrieval.workflows.model import run_config

log = logging.getLogger(__name__)

CHANGED = "gallery_changed"  # in provenance: items have been added to the gallery or removed since training


@dataclass(frozen=True)
class EmbedOptions:
    """Options of embedding the queries and the gallery.

    Attributes:
        on_error: mode for unreadable images, "fail" or "skip".
        engine: the engine; stored embeddings of another one are recomputed.
        query_split: split used as queries; that of `Catalog.roles` by default.
        gallery_split: split used as gallery; that of `Catalog.roles` by default.
    """

    on_error: str = "fail"
    engine: EngineChoice = AUTO
    query_split: str | None = None
    gallery_split: str | None = None

    def roles(self, catalog: Catalog) -> tuple[str, str]:
        """Names of the splits used as (queries, gallery)."""
        queries, gallery = catalog.roles()
        return self.query_split or queries, self.gallery_split or gallery


def embed_split(run: Run, catalog: Catalog, split: str, options: EmbedOptions | None = None) -> Embeddings:
    """The embeddings of a split, stored in the run.

    Args:
        run: a run with a trained model.
        catalog: its images.
        split: a split of the catalog.
        options: how to embed.

    Raises:
        UserError: there is no such split or no model, or images cannot be decoded.
    """
    details = {
        "split": split,
        "default_gallery_split": catalog.roles()[1],
        "source": absolute_source(catalog.source),
        **({CHANGED: True} if run.gallery_path.exists() else {}),
    }
    return embed_catalog(run, catalog.split(split), options, run.embeddings(split), details)


def embed_catalog(
    run: Run,
    catalog: Catalog,
    options: EmbedOptions | None = None,
    directory: Path | None = None,
    details: Mapping[str, Any] | None = None,
) -> Embeddings:
    """Embed any catalog with the model of a run.

    Args:
        run: a run with a trained model.
        catalog: images of any source.
        options: how to embed.
        directory: directory of the store; one that is up to date is returned, others are replaced. None keeps the
            embeddings in memory.
        details: further provenance.

    Raises:
        UserError: there is no model, images cannot be decoded, or the directory cannot be written.
    """
    options = options or EmbedOptions()
    provenance = {"model": run.model_fingerprint(), **(details or {})}
    if directory is not None:
        if (stored := current_embeddings(run, catalog, directory, options.engine)) is not None:
            return stored
        provenance |= {"data": catalog.fingerprint, "metric": run_config(run).metric}
    return engine_for(run, catalog, options.engine).embed(catalog, options.on_error, provenance, directory)


def current_embeddings(run: Run, catalog: Catalog, directory: Path, engine: EngineChoice = AUTO) -> Embeddings | None:
    """The embeddings stored in a directory if they are up to date, else None. Warns of a corrupt store.

    Raises:
        UserError: the run has no model.
    """
    if (stored := load_or_none(Embeddings.load, directory)) is None:
        remove_incomplete(directory)
        return None
    expected = {"model": run.model_fingerprint(), "data": catalog.fingerprint}
    if expected.items() <= dict(stored.provenance).items() and engine.matches(stored.provenance):
        return stored
    log.info("the embeddings in %s are stale (model, images or engine changed)", directory)
    return None


def embed_shards(run: Run, catalog: Catalog, location: str, options: EmbedOptions) -> tuple[int, int]:
    """Let Ray write the embeddings of a catalog as Parquet shards.

    Returns:
        number of items, and dimension.

    Raises:
        UserError: the engine is not `ray`, there is no model, images cannot be decoded, or shards cannot be written.
    """
    from tfretrieval.embedding.ray.engine import RayEngine
    from tfretrieval.embedding.ray.parquet_shards import Shards

    engine = engine_for(run, catalog, options.engine)
    if not isinstance(engine, RayEngine):
        raise UserError("only the engine ray writes shards", "use --engine ray")
    provenance = {"model": run.model_fingerprint(), "data": catalog.fingerprint, "metric": run_config(run).metric}
    return engine.write_shards(catalog, Shards(location), options.on_error, provenance), engine.dim
