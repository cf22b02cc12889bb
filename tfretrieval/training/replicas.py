"""Where a network learns: on one device, on all of a machine, or on the workers of a cluster, by `tf.distribute`.

Its strategies are used for their collectives alone. Variables are made outside of their scope and belong to one device,
so that optimizers, checkpoints and everything else know nothing of replicas, in either Keras.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfretrieval.data.share import Share
from tfretrieval.errors import UserError
from tfretrieval.training.cluster import STRATEGIES, Cluster, read_cluster, wait_for_others

log = logging.getLogger(__name__)

WAIT_SECONDS = 600.0
FAILED = -1
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.InternalError)


class WorkerLost(UserError):
    """Another worker went away; this process must begin anew to meet it again."""


class Replicas:
    """Copies of a network that compute each batch together.

    Args:
        strategy: of `tf.distribute`; None: one replica, on the default device.
        cluster: the workers; None: this process alone.

    Attributes:
        count: replicas in all.
        is_chief: whether this process writes what is written.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None, cluster: Cluster | None = None) -> None:
        self._strategy = strategy or tf.distribute.get_strategy()
        self._cluster = cluster
        self._devices = tuple(self._strategy.extended.worker_devices) if strategy is not None else ()
        self.count = int(self._strategy.num_replicas_in_sync)
        self.is_chief = cluster is None or cluster.is_chief
        self._told = tf.function(self._sum_of_chief, autograph=False)

    @property
    def shares(self) -> list[Share]:
        """The shares of a batch that this process computes."""
        local = max(1, len(self._devices))
        first = local * self._cluster.index if self._cluster else 0
        return [Share(number, self.count) for number in range(first, first + local)]

    def more_copies(self, network: keras.Model) -> list[keras.Model]:
        """Copies of a network with other weights, one for each local device but the first, which it is for itself."""
        copies = []
        for device in self._devices[1:]:
            with tf.device(device):
                copy = keras.models.clone_model(network)
            copies.append(copy)
        return copies

    def run(self, function: Callable[[int, Any], Any], shares: Sequence[Any]) -> Any:
        """Call a function in each local replica with the replica's place and share; what the first returns."""

        def here() -> Any:
            place = 0
            if len(self._devices) > 1:
                number = tf.distribute.get_replica_context().replica_id_in_sync_group
                place = int(tf.get_static_value(number)) - self.shares[0].number
            return function(place, shares[place])

        results = self._strategy.run(here)
        return tf.nest.map_structure(lambda value: self._strategy.experimental_local_results(value)[0], results)

    def gathered(self, rows: tf.Tensor) -> tf.Tensor:
        """Inside `run`: the rows of all replicas, [n, ...], through which gradients flow back."""
        if self.count == 1:
            return rows
        here = tf.identity(rows)  # on this replica's device, which collectives want to know
        return tf.distribute.get_replica_context().all_gather(here, axis=0)

    def mean(self, tensors: list[tf.Tensor]) -> list[tf.Tensor]:
        """Inside `run`: the mean of each tensor over all replicas."""
        if self.count == 1:
            return tensors
        means = [tf.convert_to_tensor(tensor) for tensor in tensors]
        reduce = tf.distribute.get_replica_context().all_reduce
        for dtype in sorted({tensor.dtype.name for tensor in means}):  # collectives pack what they send together
            places = [place for place, tensor in enumerate(means) if tensor.dtype == dtype]
            for place, mean in zip(places, reduce(tf.distribute.ReduceOp.MEAN, [means[place] for place in places])):
                means[place] = mean
        return means

    def spread(self, variables: list[Any]) -> None:
        """Give every worker the chief's values.

        Raises:
            WorkerLost: another worker went away.
        """
        if self._cluster is None:
            return
        with self.watched():
            values = self._from_chief([tf.cast(tf.convert_to_tensor(variable), tf.float64) for variable in variables])
        for variable, value in zip(variables, values):
            variable.assign(tf.cast(value, variable.dtype))

    def by_chief(self, work: Callable[[], Any]) -> Any:
        """Let the chief alone do something. Others get its answer where that is a whole number, else 0.

        Raises:
            UserError: it failed there.
            WorkerLost: another worker went away.
        """
        if self._cluster is None:
            return work()
        answer, number, failure = None, FAILED, None
        if self.is_chief:
            try:
                answer = work()
                number = int(answer) if isinstance(answer, int) else 0
            except BaseException as error:
                failure = error
        with contextlib.suppress(WorkerLost) if failure else contextlib.nullcontext(), self.watched():
            number = int(self._from_chief([tf.constant(number, tf.float64)])[0])
        if failure is not None:
            raise failure
        if number == FAILED:
            raise UserError(f"the chief, {self._cluster.addresses[0]}, gave up; it says why")
        return answer if self.is_chief else number

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Inside the block a worker that goes away is a `WorkerLost`."""
        try:
            yield
        except LOST as error:
            if self._cluster is None:
                raise
            log.debug("%s", error)
            raise WorkerLost(
                f"a worker was lost ({' or '.join(self._cluster.others)}); start it again, a chief with --resume"
            ) from None

    def _from_chief(self, values: list[tf.Tensor]) -> list[tf.Tensor]:
        """The chief's values of float64 tensors that all have in the same shapes: a sum to which others add zeros."""
        return list(self._told(values))

    def _sum_of_chief(self, values: list[tf.Tensor]) -> list[tf.Tensor]:
        def summed(place: int, own: list[tf.Tensor]) -> list[tf.Tensor]:
            speaks = self.is_chief and place == 0
            own = [tf.identity(value) if speaks else tf.zeros_like(value) for value in own]
            return list(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, own))

        return self.run(summed, [values] * max(1, len(self._devices)))


def open_replicas(strategy: str = "none") -> Replicas:
    """The replicas of a strategy. With `multi-worker` this must come before anything that TensorFlow computes.

    Args:
        strategy: "none"; "mirrored", all GPUs of this machine; "multi-worker", the workers that TF_CONFIG names.

    Raises:
        UserError: no such strategy, a TF_CONFIG that makes no sense, an address that is taken, or workers that do not
            come within ten minutes.
    """
    if strategy == "none":
        return Replicas()
    if strategy == "mirrored":
        devices = [device.name for device in tf.config.list_logical_devices("GPU")]
        devices = devices or [device.name for device in tf.config.list_logical_devices("CPU")]
        if len(devices) == 1:
            log.info("--strategy mirrored: there is one device, %s", devices[0].removeprefix("/device:"))
        return Replicas(tf.distribute.MirroredStrategy(devices))
    if strategy == "multi-worker":
        cluster = read_cluster()
        return Replicas(_meet(cluster), cluster)
    raise UserError(f"no strategy {strategy!r}; there are {', '.join(STRATEGIES)}")


def _meet(cluster: Cluster) -> tf.distribute.Strategy:
    log.info(
        "worker %d of %d: waiting for %s", cluster.index, len(cluster.addresses), ", ".join(cluster.others) or "none"
    )
    wait_for_others(cluster, WAIT_SECONDS)
    try:
        with _may_be_killed():
            return tf.distribute.MultiWorkerMirroredStrategy()
    except LOST as error:
        raise WorkerLost(f"the other workers could not be met: {str(error).splitlines()[0][:200]}") from None
    except RuntimeError:
        raise UserError("workers must be opened before TensorFlow computes anything in this process") from None


@contextlib.contextmanager
def _may_be_killed() -> Iterator[None]:
    """Inside the block Ctrl-C ends the process at once, and so do ten minutes.

    TensorFlow waits with Python's lock held. It does so where something answers at a worker's address that is none.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "alarm"):
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)}
    for number in before:
        signal.signal(number, signal.SIG_DFL)
    signal.alarm(int(WAIT_SECONDS))
    try:
        yield
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)
