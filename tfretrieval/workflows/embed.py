"""Embed the images of a run, or reuse embeddings that are up to date."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.partial import is_begun
from tfretrieval.embedding.store import STORE, Embeddings, remove_incomplete
from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.workflows.engine import AUTO, EngineChoice, engine_for

log = logging.getLogger(__name__)

CHANGED = "gallery_changed"  # in provenance: items have been added to the gallery or removed since training


@dataclass(frozen=True)
class EmbedOptions:
    """What is embedded, and how.

    Attributes:
        on_error: mode for unreadable images, "fail" or "skip".
        engine: the engine; stored embeddings of another one are recomputed.
        query_split: split used as queries; by default as `Catalog.roles` says.
        gallery_split: split used as gallery; likewise.
    """

    on_error: str = "fail"
    engine: EngineChoice = AUTO
    query_split: str | None = None
    gallery_split: str | None = None

    def roles(self, catalog: Catalog) -> tuple[str, str]:
        """Names of the splits used as (queries, gallery)."""
        queries, gallery = catalog.roles()
        return self.query_split or queries, self.gallery_split or gallery


def embed_split(
    run: Run, catalog: Catalog, split: str, options: EmbedOptions | None = None, rebuild_corrupt: bool = False
) -> Embeddings:
    """The embeddings of a split: those of `run` if they are up to date, else new ones, which are stored.

    The cost is recorded in the run, unless an interrupted embedding was resumed.

    Args:
        run: a run with a trained model.
        catalog: its images.
        split: a split of the catalog.
        options: how to embed.
        rebuild_corrupt: recompute a corrupt store, with a warning.

    Raises:
        UserError: there is no such split or no model, images cannot be decoded, or the store is corrupt and
            `rebuild_corrupt` is false.
    """
    options = options or EmbedOptions()
    part, directory = catalog.split(split), run.embeddings(split)
    provenance = {"model": run.model_fingerprint(), "data": part.fingerprint}
    stored = _stored(directory, rebuild_corrupt)
    if stored is not None and _is_current(stored, provenance, options.engine):
        return stored
    if stored is not None:
        log.info("embeddings of %s are stale (model, images or engine changed); recomputing", split)
    engine = engine_for(run, part, options.engine)
    resumed = is_begun(directory)
    started = perf_counter()
    more = {"split": split, **({CHANGED: True} if run.gallery_path.exists() else {})}
    embeddings = engine.embed(part, options.on_error, provenance | more, directory)
    if not resumed:
        run.record_cost(
            f"embeddings/{split}",
            of=embeddings.fingerprint,
            seconds=round(perf_counter() - started, 3),
            items=len(embeddings),
            engine=embeddings.provenance["engine"],
            precision=embeddings.provenance["precision"],
        )
    return embeddings


def embed_catalog(
    run: Run, catalog: Catalog, options: EmbedOptions | None = None, directory: Path | None = None
) -> Embeddings:
    """Embed any catalog with the model of a run.

    Args:
        run: a run with a trained model.
        catalog: images of any origin.
        options: how to embed.
        directory: where to store the embeddings; a store there that is up to date is returned. None: nowhere.

    Raises:
        UserError: there is no model, images cannot be decoded, or the directory cannot be written.
    """
    options = options or EmbedOptions()
    if directory is not None and (stored := current_embeddings(run, catalog, directory, options.engine)) is not None:
        return stored
    provenance = {"model": run.model_fingerprint(), "data": catalog.fingerprint}
    return engine_for(run, catalog, options.engine).embed(catalog, options.on_error, provenance, directory)


def current_embeddings(run: Run, catalog: Catalog, directory: Path, engine: EngineChoice = AUTO) -> Embeddings | None:
    """The embeddings stored in a directory if they are up to date, else None. Warns of a corrupt store.

    Raises:
        UserError: the run has no model.
    """
    if not STORE.exists(directory):
        return None
    provenance = {"model": run.model_fingerprint(), "data": catalog.fingerprint}
    stored = _stored(directory, rebuild_corrupt=True)
    return stored if stored is not None and _is_current(stored, provenance, engine) else None


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
    provenance = {"model": run.model_fingerprint(), "data": catalog.fingerprint}
    return engine.write_shards(catalog, Shards(location), options.on_error, provenance), engine.dim


def _is_current(stored: Embeddings, provenance: dict[str, str], engine: EngineChoice) -> bool:
    return provenance.items() <= dict(stored.provenance).items() and engine.matches(stored.provenance)


def _stored(directory: Path, rebuild_corrupt: bool) -> Embeddings | None:
    if not directory.exists():
        return None
    try:
        return Embeddings.load(directory)
    except UserError as error:
        if not rebuild_corrupt:
            raise
        log.warning("%s; recomputing", error.problem)
        remove_incomplete(directory)
        return None
