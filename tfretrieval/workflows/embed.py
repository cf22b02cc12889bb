"""From a run's model and a split of images to embeddings, kept until either changes."""

from __future__ import annotations

import logging
from pathlib import Path
from time import perf_counter

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.partial import is_begun
from tfretrieval.embedding.store import Embeddings
from tfretrieval.embedding.store_files import clear_remains
from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.workflows.engine import AUTO, EngineChoice, engine_for

log = logging.getLogger(__name__)

CHANGED = "gallery_changed"  # what a store was made from: whether the gallery had been added to or taken from


def embed_split(
    run: Run,
    catalog: Catalog,
    split: str,
    on_error: str = "fail",
    rebuild_damaged: bool = False,
    choice: EngineChoice = AUTO,
) -> Embeddings:
    """The embeddings of a split, from `run` where they are there and up to date, else made and kept.

    How long it took is kept among the costs of the run, unless an interrupted embedding was gone on with.

    Args:
        run: with a trained model.
        catalog: its images.
        split: of the catalog.
        on_error: what a broken image does, "fail" or "skip".
        rebuild_damaged: make a damaged store anew, and warn of it.
        choice: of the engine; a store that another one made is rebuilt.

    Raises:
        UserError: no such split, no model, images that cannot be decoded, or a damaged store (unless
            `rebuild_damaged`).
    """
    part = catalog.split(split)
    made_from = {"model": run.model_fingerprint(), "data": part.fingerprint}
    stored = _loaded(run.embeddings(split), rebuild_damaged)
    if stored is not None and _is_current(stored, made_from, choice):
        return stored
    if stored is not None:
        log.info("the embeddings of %s are of another model, other images or another engine: rebuilt", split)
    engine = engine_for(run, part, choice)
    begun = is_begun(run.embeddings(split))
    started = perf_counter()
    changed = {CHANGED: True} if run.gallery_path.exists() else {}
    made = engine.embed(part, on_error, made_from | changed, run.embeddings(split))
    if not begun:  # of one that was gone on with, only the rest was timed
        run.record_cost(
            f"embeddings/{split}",
            of=made.fingerprint,
            seconds=round(perf_counter() - started, 3),
            items=len(made),
            engine=made.made_from["engine"],
            precision=made.made_from["precision"],
        )
    return made


def embed_catalog(
    run: Run,
    catalog: Catalog,
    on_error: str = "fail",
    choice: EngineChoice = AUTO,
    directory: Path | None = None,
) -> Embeddings:
    """The embeddings of any catalog by the model of a run, kept only where a folder is given.

    A store that is there and up to date is used.

    Raises:
        UserError: no model, images that cannot be decoded, or a folder that cannot be written.
    """
    if directory is not None and (stored := current_embeddings(run, catalog, directory, choice)) is not None:
        return stored
    made_from = {"model": run.model_fingerprint(), "data": catalog.fingerprint}
    return engine_for(run, catalog, choice).embed(catalog, on_error, made_from, directory)


def current_embeddings(run: Run, catalog: Catalog, directory: Path, choice: EngineChoice = AUTO) -> Embeddings | None:
    """The store in a folder where it is there, whole and up to date, else None; a warning tells of a damaged one.

    Raises:
        UserError: the run has no model.
    """
    if not (directory / "embeddings.json").is_file():
        return None
    made_from = {"model": run.model_fingerprint(), "data": catalog.fingerprint}
    stored = _loaded(directory, rebuild_damaged=True)
    return stored if stored is not None and _is_current(stored, made_from, choice) else None


def embed_shards(
    run: Run, catalog: Catalog, where: str, on_error: str = "fail", choice: EngineChoice = AUTO
) -> tuple[int, int]:
    """Let a Ray write the embeddings of a catalog as shards; how many there are, and of how many values.

    Raises:
        UserError: the engine is not `ray`, no model, images that cannot be decoded, or shards that cannot be written.
    """
    from tfretrieval.embedding.ray.engine import RayEngine
    from tfretrieval.embedding.ray.parquet_shards import Shards

    engine = engine_for(run, catalog, choice)
    if not isinstance(engine, RayEngine):
        raise UserError("--shards are written by the engine ray; give --engine ray")
    made_from = {"model": run.model_fingerprint(), "data": catalog.fingerprint}
    return engine.write_shards(catalog, Shards(where), on_error, made_from), engine.dim


def _is_current(stored: Embeddings, made_from: dict[str, str], choice: EngineChoice) -> bool:
    return made_from.items() <= dict(stored.made_from).items() and choice.is_met_by(stored.made_from)


def _loaded(directory: Path, rebuild_damaged: bool) -> Embeddings | None:
    if not directory.exists():
        return None
    try:
        return Embeddings.load(directory)
    except UserError as error:
        if not rebuild_damaged:
            raise
        log.warning("%s; re-embedded", str(error).partition("; ")[0])
        clear_remains(directory)
        return None
