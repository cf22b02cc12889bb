"""From a run to an evaluation: embeds and indexes what is missing or stale, then measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation.evaluator import evaluate
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.retrieval.index import Index
from tfretrieval.runs import Run
from tfretrieval.steps.embed import embed_split
from tfretrieval.steps.engine import engine_of
from tfretrieval.steps.index import ensure_index


@dataclass(frozen=True)
class Evaluated:
    """An evaluation with all that it was made from, row-aligned."""

    evaluation: Evaluation
    index: Index
    queries: Embeddings
    gallery: Embeddings


def evaluate_run(
    run: Run,
    catalog: Catalog,
    retriever: str = "knn",
    ks: Sequence[int] | None = None,
    query_split: str | None = None,
    gallery_split: str | None = None,
    seed: int = 0,
    on_error: str = "fail",
    keep: bool = True,
    **changes: Any,
) -> Evaluated:
    """Evaluate a run and keep the result in `evaluation/<retriever>/`, unless `keep` is false.

    Args:
        run: with a trained model.
        catalog: its pictures.
        retriever: "knn", "faiss" or "milvus".
        ks: depths of the metrics that have one; None is 1, 3, 5 and 10.
        query_split: who asks; by default as `Catalog.roles` says.
        gallery_split: who is searched; likewise.
        seed: of the bootstrap.
        on_error: what a broken picture does, "fail" or "skip".
        keep: whether to write the result.
        changes: fields of `IndexSettings`.

    Raises:
        UserError: whatever stands in the way.
    """
    asking, searched = catalog.roles()
    gallery = embed_split(run, catalog, gallery_split or searched, on_error)
    queries = embed_split(run, catalog, query_split or asking, on_error, choice=engine_of(gallery))
    index = ensure_index(run, retriever, gallery, **changes)
    made_from = {
        "model": run.model_fingerprint(),
        "queries": queries.fingerprint,
        "gallery": gallery.fingerprint,
        "query_split": query_split or asking,
        "gallery_split": gallery_split or searched,
        "pca": index.settings.pca,
        "metric": index.settings.metric,
    }
    evaluation = evaluate(index.retriever, queries, gallery, index.transform, ks=ks, seed=seed)
    if keep:
        evaluation = evaluation.save(run.evaluation(retriever), made_from)
    return Evaluated(evaluation, index, queries, gallery)
