"""Loading of a run as a `Collection`; missing or stale parts are computed first."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.runs import Run
from tfretrieval.serve.collection import Collection
from tfretrieval.workflows.embed import EmbedOptions, embed_split
from tfretrieval.workflows.engine import choice_of, engine_for
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.gallery import run_catalog
from tfretrieval.workflows.index import IndexRequest, ensure_index
from tfretrieval.workflows.model import run_config

log = logging.getLogger(__name__)

MAX_LABEL_ISSUES = 60


def open_collection(run: Run, source: str | None = None, retrievers: Sequence[str] = (), seed: int = 0) -> Collection:
    """Load the gallery of a run with its indexes, evaluations and embedding engine.

    Args:
        run: run with a trained model.
        source: data source; by default the run's own.
        retrievers: retriever types; by default those of the run, or faiss.
        seed: random seed of the bootstrap.

    Raises:
        UserError: data or model are missing or damaged.
    """
    catalog = run_catalog(run, source)
    query_split, gallery_split = catalog.roles()
    gallery = embed_split(run, catalog, gallery_split)
    engine = choice_of(gallery.provenance)
    queries = gallery
    if query_split != gallery_split:
        queries = embed_split(run, catalog, query_split, EmbedOptions(engine=engine))
    names = list(retrievers) or run.indexed() or ["faiss"]
    indexes = {name: ensure_index(run, gallery, IndexRequest.named(name)) for name in names}
    evaluations = {}
    for name in names:
        try:
            evaluations[name] = evaluate_run(run, catalog, IndexRequest.named(name), seed=seed, reuse=True).evaluation
        except UserError as error:
            log.warning("%s is not evaluated: %s", name, error)
    return Collection(
        name=run.directory.resolve().name,
        gallery=gallery,
        queries=queries,
        indexes=indexes,
        evaluations=evaluations,
        engine=engine_for(run, catalog.split(gallery_split), engine),
        facts=_facts(run, gallery),
        audit=partial(_audit, catalog, run),
        directory=run.directory / "maps",
    )


def _audit(catalog: Catalog, run: Run) -> dict[str, Any]:
    from tfretrieval.quiet import load_tensorflow

    load_tensorflow()  # only the audit needs it
    from tfretrieval.audit.audit import audit

    return audit(catalog, run, MAX_LABEL_ISSUES)


def _facts(run: Run, gallery: Embeddings) -> dict[str, str]:
    config, manifest = run_config(run), run.manifest()
    engine = f"{gallery.provenance.get('engine')}, {gallery.provenance.get('precision')}"
    return {
        "Data": Path(manifest["data"]["source"]).name,
        "Model": f"{config.backbone} at {config.image_size} pixels, loss {config.loss}, {config.epochs} epochs",
        "Embedding": f"{gallery.dim} dimensions, {engine}",
        "Seed": str(manifest["seed"]),
        "Versions": ", ".join(f"{name} {version}" for name, version in manifest["versions"].items()),
    }
