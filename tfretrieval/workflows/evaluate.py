"""From a run to an evaluation: embeds and indexes what is missing or stale, then measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation.evaluator import evaluate
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.retrieval.index import Index
from tfretrieval.runs import Run
from tfretrieval.workflows.embed import embed_split
from tfretrieval.workflows.engine import engine_of
from tfretrieval.workflows.index import ensure_index

SINGLE = 50  # queries that ask one by one


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
    reuse: bool = False,
    **changes: Any,
) -> Evaluated:
    """Evaluate a run and keep the result in `evaluation/<retriever>/`, unless `keep` is false.

    Args:
        run: with a trained model.
        catalog: its images.
        retriever: "knn", "faiss" or "milvus".
        ks: depths of the metrics that have one; None is 1, 3, 5 and 10.
        query_split: who asks; by default as `Catalog.roles` says.
        gallery_split: who is searched; likewise.
        seed: of the bootstrap.
        on_error: what a broken image does, "fail" or "skip".
        keep: whether to write the result.
        reuse: take the result that is there where model, images and index are what it was made from, with the depths
            it has.
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
        **index.how(),
    }
    kept = _kept(run, retriever, made_from) if reuse else None
    if kept is not None:
        return Evaluated(kept, index, queries, gallery)
    evaluation = evaluate(index.retriever, queries, gallery, index.transform, ks=ks, seed=seed)
    evaluation = replace(
        evaluation, seconds=evaluation.seconds | {"one_query": seconds_a_query(index, queries.vectors)}
    )
    if keep:
        evaluation = evaluation.save(run.evaluation(retriever), made_from)
    return Evaluated(replace(evaluation, made_from=made_from), index, queries, gallery)


def seconds_a_query(index: Index, vectors: np.ndarray, k: int = 10) -> float:
    """The median time of a search for the k nearest of one vector, of up to 50 that ask one by one within a second.

    Args:
        index: what is searched.
        vectors: float32 [q, d], q >= 1.
        k: neighbors, or all of a smaller gallery.
    """
    k = min(k, index.retriever.n_items_)
    rows = np.linspace(0, len(vectors) - 1, min(len(vectors), SINGLE)).astype(int)
    index.search(vectors[:1], k)  # the first one prepares
    taken: list[float] = []
    for row in rows:
        started = perf_counter()
        index.search(vectors[row : row + 1], k)
        taken.append(perf_counter() - started)
        if sum(taken) > 1:
            break
    return float(np.median(taken))


def _kept(run: Run, retriever: str, made_from: dict[str, Any]) -> Evaluation | None:
    """The evaluation that is there, if it was made from the same."""
    if not run.evaluation(retriever).exists():
        return None
    kept = Evaluation.load(run.evaluation(retriever))
    return kept if dict(kept.made_from) == made_from else None
