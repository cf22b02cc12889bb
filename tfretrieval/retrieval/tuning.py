"""Choose an index and its search parameters by the recall that is wanted."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import faiss
import numpy as np

from tfretrieval.errors import UserError
from tfretrieval.progress import progress
from tfretrieval.retrieval.candidates import Candidate, bytes_a_vector, candidates
from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.recall import near_enough
from tfretrieval.vectors import checked_vectors

log = logging.getLogger(__name__)

LEAST_TUNED = 1000
MOST_QUERIES = 2000
REPEATS = 3
ENOUGH_SECONDS = 2.0
LEAST_GAIN = 0.002
ONE_SIDED_95 = 1.645


@dataclass(frozen=True)
class Trial:
    """One index with one setting, as it was measured.

    Attributes:
        factory: of `faiss.index_factory`.
        search: its search parameters.
        recall: share of the true k nearest among the k that it returns, 0..1, mean over the queries.
        recall_at_least: the lower end of the one-sided 95 % interval of that mean.
        queries_per_second: in one batch of all the queries; None where it was not measured.
        bytes_per_vector: of memory.
    """

    factory: str
    search: dict[str, float]
    recall: float
    recall_at_least: float
    queries_per_second: float | None
    bytes_per_vector: float


@dataclass(frozen=True)
class Tuned:
    """What was chosen, and among what.

    Attributes:
        chosen: the fastest trial that reaches the recall.
        target_recall: what was asked for.
        k: of the recall.
        table: trials of which none is better in everything, and the highest recall of every index.
    """

    chosen: Trial
    target_recall: float
    k: int
    table: tuple[Trial, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for `json.dumps`."""
        return asdict(self)


def tune(
    vectors: Any,
    target_recall: float,
    metric: str = "euclidean",
    k: int = 10,
    seed: int = 0,
    most_bytes: float | None = None,
) -> Tuned:
    """The fastest FAISS index whose recall@k is as high as wanted.

    Up to 2,000 gallery vectors are drawn as queries and held out of every index that is tried. The search
    parameter of each index is raised until the recall is reached, by the lower end of its 95 % interval, or until the
    index is slower than exact search. "Flat", which is exact, is chosen where nothing that is faster gets there; so
    it is for fewer than 1,000 vectors, without a trial of others.

    Args:
        vectors: the gallery, [n, d].
        target_recall: above 0, up to 1.
        metric: "euclidean" or "cosine".
        k: of the recall, 1 or more.
        seed: of the draw.
        most_bytes: the most memory a vector may take; None for any.

    Raises:
        UserError: the target is out of range, the vectors are not valid, or no index is small enough.

    >>> tune(np.eye(20), 0.9).chosen.factory
    'Flat'
    """
    if not 0 < target_recall <= 1:
        raise UserError(f"the target recall must be above 0 and at most 1, not {target_recall}")
    gallery = checked_vectors(vectors, "gallery vectors")
    if len(gallery) < max(LEAST_TUNED, 10 * k):
        flat = Trial("Flat", {}, 1.0, 1.0, None, 4.0 * gallery.shape[1])
        return Tuned(flat, target_recall, k, (flat,))
    bench = _Bench(gallery, metric, k, seed)
    trials = [bench.exact_trial()]
    log.info("Flat: %.0f queries a second", bench.exact_speed)
    tried = list(candidates(len(bench.gallery), gallery.shape[1]))
    for candidate in progress(tried, "try indexes", unit="index"):
        its = list(_trials(candidate, bench, target_recall))
        best = max(its, key=lambda trial: trial.recall)
        log.info("%s: recall@%d %.4f at %.0f queries a second", best.factory, k, best.recall, best.queries_per_second)
        trials += its
    small = [trial for trial in trials if most_bytes is None or trial.bytes_per_vector <= most_bytes]
    if not small:
        least = min(trial.bytes_per_vector for trial in trials)
        raise UserError(f"no index takes at most {most_bytes:g} bytes a vector; the smallest takes {least:.0f}")
    return Tuned(_chosen(small, target_recall), target_recall, k, tuple(_worth_showing(trials)))


def _chosen(trials: list[Trial], target: float) -> Trial:
    """The fastest that is sure to reach the target, else that of the highest recall."""
    reaching = [trial for trial in trials if trial.recall_at_least >= target]
    return max(reaching, key=_speed) if reaching else max(trials, key=lambda trial: (trial.recall, _speed(trial)))


def _speed(trial: Trial) -> float:
    return trial.queries_per_second or 0.0


def _worth_showing(trials: list[Trial]) -> Iterator[Trial]:
    highest = {trial.factory: trial for trial in sorted(trials, key=lambda trial: trial.recall)}
    for trial in trials:
        if trial is highest[trial.factory] or not any(_is_better(other, trial) for other in trials):
            yield trial


def _is_better(one: Trial, other: Trial) -> bool:
    ours = (one.recall, _speed(one), -one.bytes_per_vector)
    theirs = (other.recall, _speed(other), -other.bytes_per_vector)
    return ours != theirs and all(a >= b for a, b in zip(ours, theirs))


def _trials(candidate: Candidate, bench: _Bench, target: float) -> Iterator[Trial]:
    """Double the parameter until the target is reached, then halve the gap to the value before.

    It ends where the index is slower than exact search, or where more of the parameter no longer helps.
    """
    log.info("building %s", candidate.factory)
    retriever = bench.fitted(candidate.factory)
    low, high, before = 0, 0, 0.0
    value = candidate.least
    while value:
        trial = bench.trial(retriever, candidate.search(value))
        yield trial
        if trial.recall_at_least >= target:
            high = value
        else:
            low = value
            if _speed(trial) < bench.exact_speed or (not high and trial.recall < before + LEAST_GAIN):
                return
            before = trial.recall
        if high:
            value = (low + high) // 2 if low and high - low > max(1, high // 8) else 0
        else:
            value = min(2 * value, candidate.most) if value < candidate.most else 0


class _Bench:
    """The gallery without the queries, the queries, and their true neighbors."""

    def __init__(self, vectors: np.ndarray, metric: str, k: int, seed: int) -> None:
        drawn = np.random.default_rng(seed).choice(len(vectors), min(MOST_QUERIES, len(vectors) // 5), replace=False)
        is_query = np.zeros(len(vectors), bool)
        is_query[drawn] = True
        self.metric = metric
        self.k = k
        self.gallery, self.queries = vectors[~is_query], vectors[is_query]
        self._centroids: np.ndarray | None = None
        self._exact = FaissRetriever("Flat", metric).fit(self.gallery)
        started = perf_counter()
        self._limits = self._exact.kneighbors(self.queries, k)[0][:, -1:]
        self.exact_speed = len(self.queries) / (perf_counter() - started)

    def fitted(self, factory: str) -> FaissRetriever:
        """All candidates have the same lists, so that centroids are learned once."""
        retriever = _WithCentroids(factory, self.metric)
        retriever.centroids = self._centroids
        retriever.fit(self.gallery)
        ivf = faiss.try_extract_index_ivf(retriever.index_)
        if ivf is not None:
            self._centroids = ivf.quantizer.reconstruct_n(0, ivf.nlist)
        return retriever

    def exact_trial(self) -> Trial:
        return Trial("Flat", {}, 1.0, 1.0, self.exact_speed, bytes_a_vector(self._exact.index_))

    def trial(self, retriever: FaissRetriever, search: dict[str, float]) -> Trial:
        retriever.set_search(search)
        seconds: list[float] = []
        while len(seconds) < REPEATS and sum(seconds) < ENOUGH_SECONDS:
            started = perf_counter()
            rows = retriever.kneighbors(self.queries, self.k)[1]
            seconds.append(perf_counter() - started)
        found = near_enough(self._exact, self.queries, rows, self._limits).mean(axis=1)
        recall = float(found.mean())
        return Trial(
            factory=retriever.factory,
            search=search,
            recall=recall,
            recall_at_least=recall - ONE_SIDED_95 * float(found.std()) / math.sqrt(len(found)),
            queries_per_second=len(found) / min(seconds),
            bytes_per_vector=bytes_a_vector(retriever.index_),
        )


class _WithCentroids(FaissRetriever):
    """Inverted lists around centroids that are known already; where there are none, they are learned."""

    centroids: np.ndarray | None = None

    def _new_index(self, dim: int) -> Any:
        index = super()._new_index(dim)
        ivf = faiss.try_extract_index_ivf(index)
        if ivf is not None and self.centroids is not None:
            ivf.quantizer.add(self.centroids)
        return index
