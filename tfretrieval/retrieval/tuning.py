"""Choose a FAISS index and its search parameters by target recall."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import faiss
import numpy as np

from tfretrieval.errors import UserError
from tfretrieval.progress import progress
from tfretrieval.retrieval.candidates import Candidate, bytes_per_vector, candidates
from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.recall import is_true_neighbor
from tfretrieval.retrieval.transformed import TransformedVectors
from tfretrieval.vectors import checked_vectors

log = logging.getLogger(__name__)

MIN_VECTORS = 1000
MAX_QUERIES = 2000
REPEATS = 3
MAX_SECONDS = 2.0
MIN_GAIN = 0.002
ONE_SIDED_95 = 1.645


@dataclass(frozen=True)
class Trial:
    """Measurements of one index with one setting of its search parameters.

    Attributes:
        factory: factory string.
        search: search parameters.
        recall: recall@k, 0..1, mean over the queries.
        recall_lower_bound: lower end of the one-sided 95 % confidence interval of that mean.
        queries_per_second: in one batch of all queries; None if not measured.
        bytes_per_vector: memory of the index.
    """

    factory: str
    search: dict[str, float]
    recall: float
    recall_lower_bound: float
    queries_per_second: float | None
    bytes_per_vector: float


@dataclass(frozen=True)
class Tuning:
    """The result of `tune`.

    Attributes:
        chosen: the fastest trial that reaches the target recall.
        target_recall: the target.
        k: of the recall.
        table: the Pareto front of the trials, and the trial of the highest recall of every index.
    """

    chosen: Trial
    target_recall: float
    k: int
    table: tuple[Trial, ...]


def tune(vectors: Any, target_recall: float, metric: str = "euclidean", k: int = 10, seed: int = 0) -> Tuning:
    """Find the fastest FAISS index that reaches a recall@k.

    Up to 2,000 gallery vectors are held out of every index and used as queries. The search parameter of each index is
    raised until the lower end of the 95 % interval of its recall reaches the target, or until the index is slower than
    exact search. "Flat", which is exact, is chosen if no faster index reaches the target, and for fewer than 1,000
    vectors.

    Args:
        vectors: the gallery, [n, d].
        target_recall: 0 < target <= 1.
        metric: "euclidean" or "cosine".
        k: 1 or more.
        seed: random seed of the queries.

    Raises:
        UserError: the target is out of range, or the vectors are invalid.

    >>> tune(np.eye(20), 0.9).chosen.factory
    'Flat'
    """
    if not 0 < target_recall <= 1:
        raise UserError(f"the target recall must be above 0 and at most 1, not {target_recall}")
    gallery = checked_vectors(vectors, "gallery vectors")
    if len(gallery) < max(MIN_VECTORS, 10 * k):
        flat = Trial("Flat", {}, 1.0, 1.0, None, 4.0 * gallery.shape[1])
        return Tuning(flat, target_recall, k, (flat,))
    bench = _Bench(gallery, metric, k, seed)
    trials = [bench.exact]
    log.info("Flat: %.0f queries per second", _speed(bench.exact))
    for candidate in progress(list(candidates(len(bench.gallery), gallery.shape[1])), "tune", unit="index"):
        measured = list(_trials(candidate, bench, target_recall))
        best = max(measured, key=lambda trial: trial.recall)
        log.info("%s: recall@%d %.4f at %.0f queries per second", best.factory, k, best.recall, best.queries_per_second)
        trials += measured
    return Tuning(_chosen(trials, target_recall), target_recall, k, tuple(_table(trials)))


def _chosen(trials: list[Trial], target: float) -> Trial:
    """The fastest trial that reaches the target, else that of the highest recall; warns if that is exact search."""
    reaching = [trial for trial in trials if trial.recall_lower_bound >= target]
    chosen = max(reaching, key=_speed) if reaching else max(trials, key=lambda trial: (trial.recall, _speed(trial)))
    if chosen.factory == "Flat":
        best = max((trial for trial in trials if trial is not chosen), key=lambda trial: trial.recall)
        log.warning(
            "no index reaches a recall of %g faster than exact search; using exact search (%s reaches %.4f)",
            target, best.factory, best.recall,
        )  # fmt: skip
    return chosen


def _speed(trial: Trial) -> float:
    return trial.queries_per_second or 0.0


def _table(trials: list[Trial]) -> Iterator[Trial]:
    """The Pareto front of the trials, and the trial of the highest recall of every index."""
    highest = {trial.factory: trial for trial in sorted(trials, key=lambda trial: trial.recall)}
    for trial in trials:
        if trial is highest[trial.factory] or not any(_dominates(other, trial) for other in trials):
            yield trial


def _dominates(trial: Trial, other: Trial) -> bool:
    """Whether a trial is better in something and worse in nothing."""
    scores, other_scores = ((t.recall, _speed(t), -t.bytes_per_vector) for t in (trial, other))
    return scores != other_scores and all(score >= limit for score, limit in zip(scores, other_scores))


def _trials(candidate: Candidate, bench: _Bench, target: float) -> Iterator[Trial]:
    """Double the search parameter until the target is reached, then bisect.

    Stops early where the index is slower than exact search, or where a larger parameter no longer helps.
    """
    log.info("building %s", candidate.factory)
    retriever = bench.fitted(candidate.factory)
    n_bytes = bytes_per_vector(retriever.index_)
    low, high, before = 0, 0, 0.0
    value = candidate.smallest
    while value:
        trial = bench.trial(retriever, candidate.search(value), n_bytes)
        yield trial
        if trial.recall_lower_bound >= target:
            high = value
        else:
            low = value
            if _speed(trial) < _speed(bench.exact) or (not high and trial.recall < before + MIN_GAIN):
                return
            before = trial.recall
        if high:
            value = (low + high) // 2 if low and high - low > max(1, high // 8) else 0
        else:
            value = min(2 * value, candidate.largest) if value < candidate.largest else 0


class _Bench:
    """A gallery, the queries held out of it, and the distances of their true k-th neighbors."""

    def __init__(self, vectors: np.ndarray, metric: str, k: int, seed: int) -> None:
        drawn = np.random.default_rng(seed).choice(len(vectors), min(MAX_QUERIES, len(vectors) // 5), replace=False)
        self.metric = metric
        self.k = k
        self.gallery = np.delete(vectors, drawn, axis=0)
        self.queries = TransformedVectors(vectors, metric=metric)[drawn]
        self._centroids: np.ndarray | None = None
        flat = FaissRetriever("Flat", metric).fit(self.gallery)
        started = perf_counter()
        self._limits = flat.kneighbors(self.queries, k)[0][:, -1:]
        speed = len(self.queries) / (perf_counter() - started)
        self.exact = Trial("Flat", {}, 1.0, 1.0, speed, bytes_per_vector(flat.index_))

    def fitted(self, factory: str) -> FaissRetriever:
        """A fitted retriever. All candidates have the same inverted lists, so that centroids are trained once."""
        retriever = _WithCentroids(factory, self.metric)
        retriever.centroids = self._centroids
        retriever.fit(self.gallery)
        ivf = faiss.try_extract_index_ivf(retriever.index_)
        if ivf is not None:
            self._centroids = ivf.quantizer.reconstruct_n(0, ivf.nlist)
        return retriever

    def trial(self, retriever: FaissRetriever, search: dict[str, float], n_bytes: float) -> Trial:
        retriever.set_search(search)
        seconds: list[float] = []
        while len(seconds) < REPEATS and sum(seconds) < MAX_SECONDS:
            started = perf_counter()
            rows = retriever.kneighbors(self.queries, self.k)[1]
            seconds.append(perf_counter() - started)
        vectors = TransformedVectors(self.gallery, metric=self.metric)
        recalls = is_true_neighbor(vectors, self.queries, rows, self._limits).mean(axis=1)
        recall = float(recalls.mean())
        return Trial(
            factory=retriever.factory,
            search=search,
            recall=recall,
            recall_lower_bound=recall - ONE_SIDED_95 * float(recalls.std()) / math.sqrt(len(recalls)),
            queries_per_second=len(recalls) / min(seconds),
            bytes_per_vector=n_bytes,
        )


class _WithCentroids(FaissRetriever):
    """An IVF index with given centroids; without them, they are trained."""

    centroids: np.ndarray | None = None

    def _new_index(self, dim: int) -> Any:
        index = super()._new_index(dim)
        ivf = faiss.try_extract_index_ivf(index)
        if ivf is not None and self.centroids is not None:
            ivf.quantizer.add(self.centroids)
        return index
