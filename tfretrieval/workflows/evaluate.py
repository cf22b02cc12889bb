"""Evaluate a run: embed and index what is missing or stale, then measure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from tfretrieval.artifacts import load_or_none
from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation.evaluator import evaluate
from tfretrieval.evaluation.result import Evaluation
from tfretrieval.retrieval.index import Index
from tfretrieval.runs import Run
from tfretrieval.workflows.embed import EmbedOptions, embed_split
from tfretrieval.workflows.engine import choice_of
from tfretrieval.workflows.index import IndexRequest, ensure_index

TIMED_QUERIES = 50
TIMED_SECONDS = 1.0


@dataclass(frozen=True)
class Evaluated:
    """An evaluation with its index and embeddings."""

    evaluation: Evaluation
    index: Index
    queries: Embeddings
    gallery: Embeddings


def evaluate_run(
    run: Run,
    catalog: Catalog,
    request: IndexRequest | None = None,
    options: EmbedOptions | None = None,
    ks: Sequence[int] | None = None,
    seed: int = 0,
    reuse: bool = False,
) -> Evaluated:
    """Evaluate a run and save the result in `evaluation/<name>/`.

    Args:
        run: a run with a trained model.
        catalog: its images.
        request: the index to evaluate.
        options: how to embed, and which splits are queries and gallery.
        ks: k of the metrics at k; 1, 3, 5 and 10 by default.
        seed: random seed of the bootstrap.
        reuse: return a saved evaluation of the same model, images, index, ks and seed instead.

    Raises:
        UserError: embedding, indexing or evaluating is not possible.
    """
    request, options = request or IndexRequest(), options or EmbedOptions()
    query_split, gallery_split = options.roles(catalog)
    gallery = embed_split(run, catalog, gallery_split, options)
    queries = embed_split(run, catalog, query_split, replace(options, engine=choice_of(gallery.provenance)))
    index = ensure_index(run, gallery, request)
    provenance = {
        "model": run.model_fingerprint(),
        "queries": queries.fingerprint,
        "gallery": gallery.fingerprint,
        "query_split": query_split,
        "gallery_split": gallery_split,
        "index": index.effective_settings.describe(),
        "settings": index.effective_settings.to_json(),
        "ks": list(ks) if ks else None,
        "seed": seed,
    }
    directory = run.evaluation(request.directory_name)
    saved = load_or_none(Evaluation.load, directory) if reuse else None
    if saved is None or dict(saved.provenance) != provenance:
        evaluation = evaluate(index, queries, ks=ks, seed=seed)
        seconds = evaluation.seconds | {"one_query": seconds_per_query(index, queries.vectors)}
        saved = replace(evaluation, seconds=seconds).save(directory, provenance)
    return Evaluated(saved, index, queries, gallery)


def seconds_per_query(index: Index, vectors: np.ndarray, k: int = 10) -> float:
    """Median time of a search for the k nearest items of one vector, of up to 50 searches within a second.

    Args:
        index: the index.
        vectors: float32 [q, d], q >= 1.
        k: number of neighbors, or all of a smaller gallery.
    """
    k = min(k, len(index))
    index.search(vectors[:1], k)  # warm up
    seconds: list[float] = []
    for row in np.linspace(0, len(vectors) - 1, min(len(vectors), TIMED_QUERIES)).astype(int):
        started = perf_counter()
        index.search(vectors[row : row + 1], k)
        seconds.append(perf_counter() - started)
        if sum(seconds) > TIMED_SECONDS:
            break
    return float(np.median(seconds))
