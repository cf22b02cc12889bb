"""From a run's model and a split of pictures to embeddings, kept until either changes."""

from __future__ import annotations

import logging

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.runs import Run

log = logging.getLogger(__name__)


def embed_split(
    run: Run, catalog: Catalog, split: str, on_error: str = "fail", rebuild_damaged: bool = False
) -> Embeddings:
    """The embeddings of a split, from `run` where they are there and up to date, else made and kept.

    Raises:
        UserError: no such split, no model, pictures that cannot be decoded, or a damaged store (unless
            `rebuild_damaged`).
    """
    part = catalog.split(split)
    made_from = {"model": run.model_fingerprint(), "data": part.fingerprint}
    stored = _stored(run, split, rebuild_damaged)
    if stored is not None and made_from.items() <= dict(stored.made_from).items():
        return stored
    if stored is not None:
        log.info("the embeddings of %s are stale: made anew", split)
    embeddings = embed_catalog(run, part, on_error, made_from)
    embeddings.save(run.embeddings(split))
    return embeddings


def embed_catalog(
    run: Run, catalog: Catalog, on_error: str = "fail", made_from: dict[str, str] | None = None
) -> Embeddings:
    """The embeddings of any catalogue by the model of a run; nothing is kept.

    Raises:
        UserError: no model, or pictures that cannot be decoded.
    """
    from tfretrieval.embedding.keras_engine import KerasEngine
    from tfretrieval.steps.model import load_model, run_config

    return KerasEngine(load_model(run), fit=run_config(run).fit).embed(catalog, on_error, made_from)


def _stored(run: Run, split: str, rebuild_damaged: bool) -> Embeddings | None:
    directory = run.embeddings(split)
    if not directory.exists():
        return None
    try:
        return Embeddings.load(directory)
    except UserError as error:
        if not rebuild_damaged:
            raise
        log.warning("%s; embedded anew", str(error).partition("; ")[0])
        return None
