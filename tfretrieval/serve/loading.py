"""From a run to the `Collection` that is served, with whatever is missing made first."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.errors import UserError
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.retrieval import KINDS
from tfretrieval.runs import Run
from tfretrieval.serve.collection import Collection
from tfretrieval.workflows.embed import embed_split
from tfretrieval.workflows.engine import engine_for, engine_of
from tfretrieval.workflows.evaluate import evaluate_run
from tfretrieval.workflows.gallery import run_catalog
from tfretrieval.workflows.index import ensure_index
from tfretrieval.workflows.model import run_config

log = logging.getLogger(__name__)

SUSPECTS = 60


def open_collection(run: Run, source: str | None = None, retrievers: Sequence[str] = (), seed: int = 0) -> Collection:
    """The gallery of a run with its indexes, their evaluations and an engine for new images.

    What is there and up to date is used. Else the gallery is embedded, indexed and measured first.

    Args:
        run: with a trained model.
        source: other data than the run's own.
        retrievers: kinds to search by; by default those that the run has, or knn.
        seed: of the bootstrap of an evaluation.

    Raises:
        UserError: whatever stands in the way.
    """
    catalog = run_catalog(run, source)
    asking, searched = catalog.roles()
    gallery = embed_split(run, catalog, searched)
    queries = gallery if asking == searched else embed_split(run, catalog, asking, choice=engine_of(gallery))
    kinds = list(retrievers) or [kind for kind in KINDS if (run.index(kind) / "index.json").is_file()] or ["knn"]
    indexes = {kind: ensure_index(run, kind, gallery) for kind in kinds}
    measured = {kind: _evaluation(run, catalog, kind, seed) for kind in kinds}
    return Collection(
        name=run.directory.resolve().name,
        gallery=gallery,
        queries=queries,
        indexes=indexes,
        evaluations={kind: evaluation for kind, evaluation in measured.items() if evaluation is not None},
        engine=engine_for(run, catalog.split(searched), engine_of(gallery)),
        facts=_facts(run, gallery),
        audit=partial(_audited, catalog, run),
        directory=run.directory / "maps",
    )


def _evaluation(run: Run, catalog: Catalog, kind: str, seed: int) -> Evaluation | None:
    """What was measured of an index; measured now where that is not there or stale; None where nothing can be."""
    try:
        return evaluate_run(run, catalog, kind, seed=seed, reuse=True).evaluation
    except UserError as error:
        log.warning("%s is not measured: %s", kind, error)
        return None


def _audited(catalog: Catalog, run: Run) -> dict[str, Any]:
    from tfretrieval.quiet import load_tensorflow

    load_tensorflow()  # the audit decodes with it, and nothing else here needs it
    from tfretrieval.audit.audit import audit

    return audit(catalog, run, SUSPECTS)


def _facts(run: Run, gallery: Embeddings) -> dict[str, str]:
    config, manifest = run_config(run), run.manifest()
    engine = f"{gallery.made_from.get('engine')}, {gallery.made_from.get('precision')}"
    return {
        "Data": Path(manifest["data"]["source"]).name,
        "Model": f"{config.backbone} at {config.image_size} pixels, loss {config.loss}, {config.epochs} epochs",
        "Embedding": f"{gallery.dim} values by {engine}",
        "Seed": str(manifest["seed"]),
        "Versions": ", ".join(f"{name} {version}" for name, version in manifest["versions"].items()),
    }
